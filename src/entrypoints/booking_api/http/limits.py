"""How much of a request is read. Every header that is used has a longest length where it is read:

tokens 8192 characters (`tokens`), correlation ids 128 (`correlation`), idempotency keys 255 (`idempotency`).
"""

from threading import BoundedSemaphore
from typing import Final

from flask import Flask, Request, current_app
from werkzeug.exceptions import RequestEntityTooLarge

from booking_core import ServiceBusy

LONGEST_BODY: Final = 64 * 1024
# Whoever sends a body slowly holds a thread, and the server sets no time for it: some threads must never read one.
_PATIENCE_SECONDS: Final = 0.05


def limit_bodies(app: Flask, at_once: int) -> None:
    """Have no route read more than the longest body, and one byte more to see that it is too long.

    At most `at_once` requests read their bodies at the same time; the next is told that the service is busy.
    """
    app.extensions["booking_bodies"] = BoundedSemaphore(at_once)
    app.config["MAX_CONTENT_LENGTH"] = LONGEST_BODY + 1


def body_of(request: Request) -> bytes:
    """The whole body. RequestEntityTooLarge if it is longer than 64 KB, whether or not it says its length.

    ServiceBusy if too many bodies are slow to arrive.
    """
    turns: BoundedSemaphore = current_app.extensions["booking_bodies"]
    if not turns.acquire(timeout=_PATIENCE_SECONDS):
        raise ServiceBusy()
    try:
        body = request.get_data(cache=False)
    finally:
        turns.release()
    if len(body) > LONGEST_BODY:
        raise RequestEntityTooLarge()
    return body
