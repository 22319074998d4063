"""Errors as responses. One table maps codes to HTTP statuses (design, section 5).

`ErrorResponse.to` knows nothing of Flask, so that the gateway responds to an error as a route does (ADR 0030).
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final, Self

import structlog
from attrs import frozen
from flask import Flask, Response
from werkzeug.exceptions import HTTPException, MethodNotAllowed

from booking_api.auth.tokens import KeysUnavailable, TokenRefused
from booking_api.http.bodies import failure_body
from booking_api.http.flask_app import RETRY_AFTER, Header, current_api_request, json_response, with_headers
from booking_api.http.query import InvalidRequest
from booking_core import Failure, Refusal, ServiceBusy

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


@frozen(kw_only=True)
class ErrorResponse:
    """The response to an error, without the headers that every response has.

    `reason` is for the log alone. `unexpected` is an error that nobody has foreseen: `log_unexpected` logs it.
    """

    code: str
    body: bytes
    headers: tuple[Header, ...] = ()
    reason: str = ""
    unexpected: Exception | None = None

    @property
    def status(self) -> int:
        """The HTTP status of the code."""
        return STATUS[self.code]

    @classmethod
    def of(cls, code: str, message: str, details: Mapping[str, Any] | None = None, **more: Any) -> Self:
        """The response for a code of the table."""
        return cls(code=code, body=failure_body(code, message, details), **more)

    @classmethod
    def to(cls, error: Exception) -> Self:
        """The response to any error; one that is not for customers is INTERNAL_ERROR, and unexpected."""
        if isinstance(error, Failure):
            # The exact cause is for the log.
            known = type(error) if error.code in STATUS else ServiceBusy
            return cls.of(known.code, known.message, headers=_retry_after(error.retry_after), reason=_named(error))
        if isinstance(error, Refusal | InvalidRequest) and error.code in STATUS:
            return cls.of(error.code, str(error), error.details)
        if isinstance(error, TokenRefused):
            return cls.of(
                "UNAUTHENTICATED",
                "A valid token is needed",
                headers=(("WWW-Authenticate", "Bearer"),),
                reason=error.reason,
            )
        if isinstance(error, KeysUnavailable):
            headers = _retry_after(error.retry_after_seconds)
            return cls.of("SERVICE_BUSY", ServiceBusy.message, headers=headers, reason=_named(error))
        if isinstance(error, HTTPException) and (error.code or 500) < 500:
            return cls._to_refusal_of_framework(error)
        return cls.of(
            "INTERNAL_ERROR", "Something went wrong; the correlation id leads to it", unexpected=_cause_of(error)
        )

    @classmethod
    def _to_refusal_of_framework(cls, error: HTTPException) -> Self:
        code, message = _OF_HTTP.get(error.code or 500, _OF_HTTP[400])
        methods = (isinstance(error, MethodNotAllowed) and error.valid_methods) or ()
        allow = (("Allow", ", ".join(sorted(methods))),) if methods else ()
        return cls.of(code, message, headers=allow)


def log_unexpected(error: Exception, *, correlation_id: str, route: str) -> None:
    """Log an unexpected error with its traceback."""
    _log.error(
        "request.failed",
        correlation_id=correlation_id,
        route=route,
        exc_info=(type(error), error, error.__traceback__),
    )


def add_error_handlers(app: Flask) -> None:
    """Turn every error of `app` into a response in the envelope."""
    app.register_error_handler(Exception, response_to)


def response_to(error: Exception) -> Response:
    """Flask's response to an error, which the access log names, too."""
    request, answer = current_api_request(), ErrorResponse.to(error)
    if answer.unexpected is not None:
        log_unexpected(answer.unexpected, correlation_id=request.correlation_id, route=request.route)
    return _as_flask(answer)


def error_response(code: str, message: str, details: Mapping[str, object] | None = None) -> Response:
    """Flask's response for a code of the table, which the access log names, too."""
    return _as_flask(ErrorResponse.of(code, message, details))


def _as_flask(answer: ErrorResponse) -> Response:
    request = current_api_request()
    request.error_code, request.error_reason = answer.code, answer.reason
    return with_headers(json_response(answer.body, answer.status), answer.headers)


def _cause_of(error: Exception) -> Exception:
    """The error itself, unless the framework has wrapped it."""
    return (isinstance(error, HTTPException) and getattr(error, "original_exception", None)) or error


def _retry_after(seconds: int) -> tuple[Header, ...]:
    return ((RETRY_AFTER, str(seconds)),)


def _named(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"
