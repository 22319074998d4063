"""What went wrong, as an answer. One table says which code has which HTTP status (design, section 5)."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

import structlog
from flask import Flask, Response
from werkzeug.exceptions import HTTPException, MethodNotAllowed

from booking_api.auth.keys import KeysUnavailable
from booking_api.auth.verifier import TokenRefused
from booking_api.http.envelope import failure
from booking_api.http.query import InvalidRequest
from booking_api.http.request import current_api_request
from booking_core import BookingError, Failure, Refusal, ServiceBusy

STATUS: Final[Mapping[str, int]] = MappingProxyType(
    {
        "UNAUTHENTICATED": 401,
        "FORBIDDEN": 403,
        "VALIDATION_FAILED": 400,
        "TOO_MANY_SEATS": 422,
        "EVENT_NOT_FOUND": 404,
        "SEAT_NOT_FOUND": 404,
        "BOOKING_NOT_FOUND": 404,
        "SEAT_ALREADY_RESERVED": 409,
        "PENDING_LIMIT_REACHED": 409,
        "EVENT_NOT_ON_SALE": 409,
        "TICKET_NOT_AVAILABLE": 409,
        "PAYMENT_IN_PROGRESS": 409,
        "BOOKING_NOT_CANCELLABLE": 409,
        "IDEMPOTENCY_KEY_REUSED": 422,
        "IDEMPOTENCY_IN_PROGRESS": 409,
        "SERVICE_BUSY": 503,
        "CATALOG_UNAVAILABLE": 503,
        "NOT_FOUND": 404,
        "METHOD_NOT_ALLOWED": 405,
        "PAYLOAD_TOO_LARGE": 413,
        "INTERNAL_ERROR": 500,
    }
)
"""Every code that a customer can meet. A failure with another code is shown as SERVICE_BUSY, other errors as
INTERNAL_ERROR: they are for operators, and in the log."""

_OF_HTTP: Final[Mapping[int, tuple[str, str]]] = MappingProxyType(
    {
        400: ("VALIDATION_FAILED", "The request cannot be understood"),
        404: ("NOT_FOUND", "There is nothing here"),
        405: ("METHOD_NOT_ALLOWED", "This cannot be done here"),
        413: ("PAYLOAD_TOO_LARGE", "The body is longer than 64 KB"),
    }
)

_log = structlog.get_logger(__name__)


class Forbidden(Refusal):
    """The token is good, but does not grant this."""

    code = "FORBIDDEN"
    message = "Your token does not permit this"


def answer_errors(app: Flask) -> None:
    """Have every error of `app` answered in the envelope."""
    app.register_error_handler(BookingError, _on_booking_error)
    app.register_error_handler(TokenRefused, _on_refused_token)
    app.register_error_handler(KeysUnavailable, _on_missing_keys)
    app.register_error_handler(HTTPException, answer_http_error)
    app.register_error_handler(Exception, _on_surprise)


def refused(code: str, message: str, details: Mapping[str, object] | None = None) -> Response:
    """The answer for a code of the table; the log will name it."""
    current_api_request().error_code = code
    return failure(code, STATUS[code], message, details)


def _on_booking_error(error: BookingError) -> Response:
    if isinstance(error, Failure):
        # What exactly is broken, and where, is for the log.
        known = type(error) if error.code in STATUS else ServiceBusy
        current_api_request().error_reason = f"{type(error).__name__}: {error}"
        return _later(refused(known.code, known.message), error.retry_after)
    if not isinstance(error, Refusal | InvalidRequest) or error.code not in STATUS:
        return _on_surprise(error)
    return refused(error.code, str(error), error.details)


def _on_refused_token(error: TokenRefused) -> Response:
    current_api_request().error_reason = error.reason
    answer = refused("UNAUTHENTICATED", "A valid token is needed")
    answer.headers["WWW-Authenticate"] = "Bearer"
    return answer


def _on_missing_keys(error: KeysUnavailable) -> Response:
    current_api_request().error_reason = f"KeysUnavailable: {error}"
    return _later(refused("SERVICE_BUSY", ServiceBusy.message), error.retry_after_seconds)


def answer_http_error(error: HTTPException) -> Response:
    """An error of the framework in our envelope; what is wrong with the server is a surprise, not the caller's."""
    status = error.code or 500
    if status >= 500:
        return _on_surprise(getattr(error, "original_exception", None) or error)
    code, message = _OF_HTTP.get(status, _OF_HTTP[400])
    answer = refused(code, message)
    if isinstance(error, MethodNotAllowed) and error.valid_methods:
        answer.headers["Allow"] = ", ".join(sorted(error.valid_methods))
    return answer


def _on_surprise(error: Exception) -> Response:
    request = current_api_request()
    _log.error(
        "request.failed",
        correlation_id=request.correlation_id,
        route=request.route,
        exc_info=(type(error), error, error.__traceback__),
    )
    return refused("INTERNAL_ERROR", "Something went wrong; the correlation id leads to it")


def _later(answer: Response, seconds: int) -> Response:
    answer.headers["Retry-After"] = str(seconds)
    return answer
