"""The frame of an operation: its token, request body and responses."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from booking_api.openapi.error_responses import responses_by_status
from booking_api.openapi.headers import headers
from booking_api.openapi.schemas import Schema, enveloped

BEARER: Final = "bearer"
_ANY_ROUTE: Final = ("SERVICE_BUSY", "INTERNAL_ERROR")
_BODY: Final = ("VALIDATION_FAILED", "PAYLOAD_TOO_LARGE")


def guarded(
    name: str,
    text: tuple[str, str],
    *,
    tag: str,
    successes: Mapping[str, Any],
    codes: Iterable[str] = (),
    parameters: Iterable[Any] = (),
    body: Schema | None = None,
    permission: str | None = None,
) -> dict[str, Any]:
    """An operation that requires a token; `text` is its summary and description, `codes` are its own errors.

    `permission` is what the token must grant. With a `body` come the errors that every body can cause.
    """
    needed = ("FORBIDDEN",) if permission else ()
    every = (*codes, *needed, *(_BODY if body else ()), *_ANY_ROUTE, "UNAUTHENTICATED")
    described = _operation(name, text, tag=tag, successes=successes, codes=every, parameters=parameters)
    described["security"] = [{BEARER: [permission] if permission else []}]
    if body is not None:
        described["requestBody"] = {"required": True, "content": {"application/json": {"schema": body}}}
    return described


def public(
    name: str,
    text: tuple[str, str],
    *,
    tag: str,
    successes: Mapping[str, Any],
    codes: Iterable[str] = _ANY_ROUTE,
    parameters: Iterable[Any] = (),
) -> dict[str, Any]:
    """An operation without a token."""
    return _operation(name, text, tag=tag, successes=successes, codes=codes, parameters=parameters) | {"security": []}


def _operation(
    name: str,
    text: tuple[str, str],
    *,
    tag: str,
    successes: Mapping[str, Any],
    codes: Iterable[str],
    parameters: Iterable[Any],
) -> dict[str, Any]:
    summary, description = text
    return {
        "operationId": name,
        "summary": summary,
        "description": description,
        "tags": [tag],
        "parameters": list(parameters),
        "responses": {**successes, **responses_by_status(*dict.fromkeys(codes))},
    }


def json_success(
    description: str,
    data: Schema,
    examples: Mapping[str, Any],
    *,
    more_headers: Iterable[str] = (),
    links: Mapping[str, Any] | None = None,
    beside: Mapping[str, Schema] | None = None,
) -> dict[str, Any]:
    """A success in its envelope; the examples are whole bodies by name."""
    described: dict[str, Any] = {
        "description": description,
        "headers": headers(*more_headers),
        "content": {
            "application/json": {
                "schema": enveloped(data, **(beside or {})),
                "examples": {name: {"value": value} for name, value in examples.items()},
            }
        },
    }
    if links:
        described["links"] = dict(links)
    return described


def file(description: str, content_type: str, example: str, *more_headers: str) -> dict[str, Any]:
    """A success without the JSON envelope."""
    return {
        "description": description,
        "headers": headers(*more_headers),
        "content": {content_type: {"schema": {"type": "string"}, "examples": {"example": {"value": example}}}},
    }


def link(operation: str, description: str, **parameters: str) -> dict[str, Any]:
    """A next request, with values of this response."""
    return {"operationId": operation, "description": description, "parameters": parameters}
