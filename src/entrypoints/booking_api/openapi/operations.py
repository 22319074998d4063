"""The frame of an operation: who may ask, what is sent, what comes back."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from booking_api.openapi.headers import headers
from booking_api.openapi.refusals import refusals
from booking_api.openapi.shapes import Schema, enveloped

BEARER: Final = "bearer"
_FRONT: Final = ("SERVICE_BUSY", "INTERNAL_ERROR")
_BODY: Final = ("VALIDATION_FAILED", "PAYLOAD_TOO_LARGE")


def guarded(
    name: str,
    told: tuple[str, str],
    *,
    tag: str,
    answers: Mapping[str, Any],
    codes: Iterable[str] = (),
    parameters: Iterable[Any] = (),
    body: Schema | None = None,
    permission: str | None = None,
) -> dict[str, Any]:
    """An operation that needs a token; `told` is its title and its text, `codes` are its own refusals.

    `permission` is what the token has to grant. With a `body` come the refusals that every body can meet.
    """
    needed = ("FORBIDDEN",) if permission else ()
    every = (*codes, *needed, *(_BODY if body else ()), *_FRONT, "UNAUTHENTICATED")
    described = _operation(name, told, tag=tag, answers=answers, codes=every, parameters=parameters)
    described["security"] = [{BEARER: [permission] if permission else []}]
    if body is not None:
        described["requestBody"] = {"required": True, "content": {"application/json": {"schema": body}}}
    return described


def public(
    name: str,
    told: tuple[str, str],
    *,
    tag: str,
    answers: Mapping[str, Any],
    codes: Iterable[str] = _FRONT,
    parameters: Iterable[Any] = (),
) -> dict[str, Any]:
    """An operation for everybody."""
    return _operation(name, told, tag=tag, answers=answers, codes=codes, parameters=parameters) | {"security": []}


def _operation(
    name: str,
    told: tuple[str, str],
    *,
    tag: str,
    answers: Mapping[str, Any],
    codes: Iterable[str],
    parameters: Iterable[Any],
) -> dict[str, Any]:
    summary, description = told
    return {
        "operationId": name,
        "summary": summary,
        "description": description,
        "tags": [tag],
        "parameters": list(parameters),
        "responses": {**answers, **refusals(*dict.fromkeys(codes))},
    }


def answer(
    description: str,
    data: Schema,
    examples: Mapping[str, Any],
    *,
    more_headers: Iterable[str] = (),
    links: Mapping[str, Any] | None = None,
    beside: Mapping[str, Schema] | None = None,
) -> dict[str, Any]:
    """A success in its envelope; the examples are whole bodies, by what they show."""
    said: dict[str, Any] = {
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
        said["links"] = dict(links)
    return said


def file(description: str, content_type: str, example: str, *more_headers: str) -> dict[str, Any]:
    """A success that is no JSON envelope."""
    return {
        "description": description,
        "headers": headers(*more_headers),
        "content": {content_type: {"schema": {"type": "string"}, "examples": {"example": {"value": example}}}},
    }


def link(operation: str, description: str, **parameters: str) -> dict[str, Any]:
    """What can be asked next, with what this answer said."""
    return {"operationId": operation, "description": description, "parameters": parameters}
