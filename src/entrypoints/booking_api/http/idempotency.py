"""`Idempotency-Key`: the same POST again gets the answer of the first, byte for byte (design, section 5)."""

import re
from hashlib import sha256
from typing import Any, Final

from flask import Request
from msgspec.json import Encoder

from booking_api.http.query import InvalidRequest
from booking_core import IdempotencyKey
from booking_core.application.retries import in_unit_of_work
from booking_core.ports import Store, UnitOfWork

HEADER: Final = "Idempotency-Key"
REPLAYED_HEADER: Final = "Idempotency-Replayed"

_FORM: Final = re.compile("[ -~]{1,255}")
_CANONICAL: Final = Encoder(order="sorted")


def idempotency_key_of(request: Request, user_id: str, operation: str, document: Any) -> IdempotencyKey | None:
    """The key of this request, None without one. See `idempotency_key_from`."""
    key = request.environ.get("HTTP_IDEMPOTENCY_KEY")
    return None if key is None else idempotency_key_from(key, user_id, operation, document)


def idempotency_key_from(key: str, user_id: str, operation: str, document: Any) -> IdempotencyKey:
    """The key of a request with this header. `operation` is its method and path.

    Equal JSON documents have equal fingerprints: neither the order of fields nor blanks count.
    Raises InvalidRequest unless the key is 1 to 255 printable ASCII characters.
    """
    if not _FORM.fullmatch(key):
        raise InvalidRequest(HEADER, "must be 1 to 255 printable ASCII characters")
    fingerprint = sha256(_CANONICAL.encode(document)).hexdigest()
    return IdempotencyKey(user_id=user_id, operation=operation, key=key, fingerprint=fingerprint)


def kept_answer(store: Store, key: IdempotencyKey, text: str) -> tuple[str, bool]:
    """The first answer under the key, and whether that was an earlier one than `text`.

    For operations that do the same when they are done again, after they are done; a reservation keeps its own.
    Raises IdempotencyKeyReused, IdempotencyInProgress.
    """

    def work(uow: UnitOfWork) -> tuple[str, bool]:
        earlier = uow.idempotency.claim(key)
        if earlier is not None:
            return earlier, True
        uow.idempotency.keep(key, text)
        uow.commit()
        return text, False

    return in_unit_of_work(store, work)
