"""The envelope of every answer: `{"success": true, "data": …}` or `{"success": false, "error": …}` (spec, section 7).

Times are written in UTC with `Z`, ids in lower case, and money as JSON numbers with all the currency's decimals.
"""

from collections.abc import Mapping
from typing import Any, Final

from flask import Response
from msgspec.json import Encoder

REPLAYED_HEADER: Final = "Idempotency-Replayed"

_ENCODER: Final = Encoder(decimal_format="number")


def enveloped(data: Any, **beside: Any) -> bytes:
    """The whole body of a success, in UTF-8; `beside` stands next to `data`."""
    return _ENCODER.encode({"success": True, "data": data, **beside})


def answer(body: bytes, status: int = 200) -> Response:
    """An answer with a body that is written already."""
    return Response(body, status, content_type="application/json")


def success(data: Any, status: int = 200, **beside: Any) -> Response:
    """An answer that carries `data`."""
    return answer(enveloped(data, **beside), status)


def failure(code: str, status: int, message: str, details: Mapping[str, Any] | None = None) -> Response:
    """An answer that says what went wrong; `details` is an empty object when there are none."""
    return answer(failed(code, message, details), status)


def failed(code: str, message: str, details: Mapping[str, Any] | None = None) -> bytes:
    """The whole body of a failure, in UTF-8."""
    return _ENCODER.encode({"success": False, "error": {"code": code, "message": message, "details": details or {}}})
