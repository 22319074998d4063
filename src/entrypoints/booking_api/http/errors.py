"""Errors as responses. One table maps codes to HTTP statuses (design, section 5)."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

import structlog
from flask import Flask, Response
from werkzeug.exceptions import HTTPException, MethodNotAllowed

from booking_api.auth.tokens import KeysUnavailable, TokenRefused
from booking_api.http.bodies import failure_body
from booking_api.http.flask_app import current_api_request, json_response
from booking_api.http.query import InvalidRequest
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
"""Every code that a customer can receive. A Failure with another code is shown as SERVICE_BUSY, any other error as
INTERNAL_ERROR: those are for operators, and in the log."""

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
    """The token is valid, but does not grant the permission."""

    code = "FORBIDDEN"
    message = "Your token does not permit this"


def add_error_handlers(app: Flask) -> None:
    """Turn every error of `app` into a response in the envelope."""
    app.register_error_handler(BookingError, _on_booking_error)
    app.register_error_handler(TokenRefused, _on_token_refused)
    app.register_error_handler(KeysUnavailable, _on_keys_unavailable)
    app.register_error_handler(HTTPException, http_error_response)
    app.register_error_handler(Exception, _on_unexpected)


def error_response(code: str, message: str, details: Mapping[str, object] | None = None) -> Response:
    """The response for a code of the table, which the access log names, too."""
    current_api_request().error_code = code
    return json_response(failure_body(code, message, details), STATUS[code])


def _on_booking_error(error: BookingError) -> Response:
    if isinstance(error, Failure):
        # The exact cause is for the log.
        known = type(error) if error.code in STATUS else ServiceBusy
        current_api_request().error_reason = f"{type(error).__name__}: {error}"
        return _with_retry_after(error_response(known.code, known.message), error.retry_after)
    if not isinstance(error, Refusal | InvalidRequest) or error.code not in STATUS:
        return _on_unexpected(error)
    return error_response(error.code, str(error), error.details)


def _on_token_refused(error: TokenRefused) -> Response:
    current_api_request().error_reason = error.reason
    response = error_response("UNAUTHENTICATED", "A valid token is needed")
    response.headers["WWW-Authenticate"] = "Bearer"
    return response


def _on_keys_unavailable(error: KeysUnavailable) -> Response:
    current_api_request().error_reason = f"KeysUnavailable: {error}"
    return _with_retry_after(error_response("SERVICE_BUSY", ServiceBusy.message), error.retry_after_seconds)


def http_error_response(error: HTTPException) -> Response:
    """An error of the framework in the envelope; one of 500 and above is handled as an unexpected error."""
    status = error.code or 500
    if status >= 500:
        return _on_unexpected(getattr(error, "original_exception", None) or error)
    code, message = _OF_HTTP.get(status, _OF_HTTP[400])
    response = error_response(code, message)
    if isinstance(error, MethodNotAllowed) and error.valid_methods:
        response.headers["Allow"] = ", ".join(sorted(error.valid_methods))
    return response


def _on_unexpected(error: Exception) -> Response:
    request = current_api_request()
    _log.error(
        "request.failed",
        correlation_id=request.correlation_id,
        route=request.route,
        exc_info=(type(error), error, error.__traceback__),
    )
    return error_response("INTERNAL_ERROR", "Something went wrong; the correlation id leads to it")


def _with_retry_after(response: Response, seconds: int) -> Response:
    response.headers["Retry-After"] = str(seconds)
    return response
