"""The paths beside the API: probes, metrics, and this document. They require no token."""

from typing import Any, Final

from prometheus_client import CONTENT_TYPE_LATEST

from booking_api.openapi.examples import METRICS, shown
from booking_api.openapi.headers import headers, parameters
from booking_api.openapi.operations import file, json_success, public

OPERATIONS: Final = {"name": "Operations", "description": "For orchestrators and monitoring; no token."}
DESCRIPTION: Final = {"name": "Description", "description": "This document and its page; no token."}


def _status(word: str) -> dict[str, Any]:
    return {"type": "object", "required": ["status"], "properties": {"status": {"const": word}}}


def _cacheable(success: dict[str, Any]) -> dict[str, Any]:
    """A response that clients may cache, and the one to a client whose cached response is current."""
    return {"200": success, "304": {"description": "The cached response is current.", "headers": success["headers"]}}


_HEALTHZ: Final = public(
    "healthz",
    ("Is the process alive?", "Independent of the database."),
    tag=OPERATIONS["name"],
    parameters=parameters(),
    successes={"200": json_success("The process responds.", _status("ALIVE"), {"alive": shown({"status": "ALIVE"})})},
    codes=("INTERNAL_ERROR",),
)
_READYZ: Final = public(
    "readyz",
    (
        "Is the service ready?",
        "The database takes writes and has the required schema; the keys of the token issuer have been read.",
    ),
    tag=OPERATIONS["name"],
    parameters=parameters(),
    successes={"200": json_success("The service is ready.", _status("READY"), {"ready": shown({"status": "READY"})})},
)
_METRICS: Final = public(
    "metrics",
    ("Metrics", "In Prometheus' text format; the sum of all processes of this service."),
    tag=OPERATIONS["name"],
    parameters=parameters(),
    successes={"200": file("The metrics.", CONTENT_TYPE_LATEST, METRICS)},
    codes=("INTERNAL_ERROR",),
)
_OPENAPI: Final = public(
    "openapi",
    ("This document", "OpenAPI 3.1."),
    tag=DESCRIPTION["name"],
    parameters=parameters("ifNoneMatch"),
    successes=_cacheable(
        {
            "description": "The document.",
            "headers": headers("ETag"),
            "content": {
                "application/json": {
                    "schema": {
                        "type": "object",
                        "required": ["openapi", "info", "paths"],
                        "properties": {
                            "openapi": {"type": "string", "pattern": "^3\\.1\\."},
                            "info": {"type": "object"},
                            "paths": {"type": "object"},
                        },
                        "additionalProperties": True,
                    },
                    "examples": {"beginning": {"value": {"openapi": "3.1.1", "info": {}, "paths": {}}}},
                }
            },
        }
    ),
)
_DOCS: Final = public(
    "docs",
    ("This document as a page", "Swagger UI, served by this server: it needs no access to the internet."),
    tag=DESCRIPTION["name"],
    parameters=parameters("ifNoneMatch"),
    successes=_cacheable(
        file("The page.", "text/html; charset=utf-8", "<!doctype html>…", "ETag", "Content-Security-Policy")
    ),
)
_ASSET: Final = public(
    "docs_asset",
    ("Files of the page", "Its scripts, styles and icon."),
    tag=DESCRIPTION["name"],
    parameters=[
        {
            "name": "asset",
            "in": "path",
            "required": True,
            "description": "One of those that the page loads.",
            "schema": {"type": "string"},
            "example": "page.css",
        },
        *parameters("ifNoneMatch"),
    ],
    successes=_cacheable(
        {
            "description": "The file.",
            "headers": headers("ETag"),
            "content": {
                "text/css; charset=utf-8": {"schema": {"type": "string"}},
                "text/javascript; charset=utf-8": {"schema": {"type": "string"}},
                "image/png": {"schema": {}},
            },
        }
    ),
    codes=("NOT_FOUND", "SERVICE_BUSY", "INTERNAL_ERROR"),
)

PATHS: Final[dict[str, Any]] = {
    "/healthz": {"get": _HEALTHZ},
    "/readyz": {"get": _READYZ},
    "/metrics": {"get": _METRICS},
    "/openapi.json": {"get": _OPENAPI},
    "/docs": {"get": _DOCS},
    "/docs/{asset}": {"get": _ASSET},
}
