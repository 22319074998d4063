"""How much of a request is read. Every header that is used has a longest length where it is read:

tokens 8192 characters (`tokens`), correlation ids 128 (`correlation`), idempotency keys 255 (`idempotency`).
"""

from typing import Final

from flask import Flask, Request
from werkzeug.exceptions import RequestEntityTooLarge

LONGEST_BODY: Final = 64 * 1024


def limit_bodies(app: Flask) -> None:
    """Have no route read more than the longest body, and one byte more to see that it is too long."""
    app.config["MAX_CONTENT_LENGTH"] = LONGEST_BODY + 1


def body_of(request: Request) -> bytes:
    """The whole body. RequestEntityTooLarge if it is longer than 64 KB, whether or not it says its length."""
    body = request.get_data(cache=False)
    if len(body) > LONGEST_BODY:
        raise RequestEntityTooLarge()
    return body
