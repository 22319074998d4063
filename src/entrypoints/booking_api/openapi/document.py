"""The whole document."""

from importlib.metadata import PackageNotFoundError, version
from typing import Any, Final

from booking_api.openapi import booking_paths, event_paths, other_paths, ticket_paths
from booking_api.openapi.headers import HEADERS, PARAMETERS
from booking_api.openapi.operations import BEARER
from booking_api.openapi.prose import description
from booking_api.openapi.refusals import response, schemas
from booking_api.openapi.shapes import SCHEMAS

_SUBJECTS: Final = (booking_paths, ticket_paths, event_paths)
_ROOMS: Final = (*_SUBJECTS, other_paths)


def document() -> dict[str, Any]:
    """The description of every route of this API, as plain JSON; made anew at each call."""
    return {
        "openapi": "3.1.1",
        "info": {
            "title": "Booking",
            "version": _version(),
            "summary": "Seats of events: reserve, pay, cancel",
            "description": description(),
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/", "description": "Where this document comes from"}],
        "security": [{BEARER: []}],
        "tags": [*(room.TAG for room in _SUBJECTS), other_paths.OPERATIONS, other_paths.DESCRIPTION],
        "paths": {path: item for room in _ROOMS for path, item in room.PATHS.items()},
        "components": {
            "securitySchemes": {
                BEARER: {
                    "type": "http",
                    "scheme": "bearer",
                    "bearerFormat": "JWT",
                    "description": "RS256, for the audience of this service; `permissions` says what it grants.",
                }
            },
            "schemas": SCHEMAS | ticket_paths.SCHEMAS | schemas(),
            "headers": HEADERS,
            "parameters": PARAMETERS,
            # No operation has these: they are what other paths and other methods are answered.
            "responses": {
                "NoSuchPath": response(["NOT_FOUND"]),
                "NoSuchMethod": response(["METHOD_NOT_ALLOWED"]),
            },
        },
    }


def _version() -> str:
    try:
        return version("booking-core")
    except PackageNotFoundError:  # run from its sources, without having been installed
        return "0"
