"""What is beside the API itself: probes, figures, and this description. None of it needs a token."""

from typing import Any, Final

from prometheus_client import CONTENT_TYPE_LATEST

from booking_api.openapi.headers import headers, parameters
from booking_api.openapi.operations import answer, file, public
from booking_api.openapi.samples import FIGURES, said

OPERATIONS: Final = {"name": "Operations", "description": "For orchestrators and monitoring; no token."}
DESCRIPTION: Final = {"name": "Description", "description": "This document and its page; no token."}


def _status(word: str) -> dict[str, Any]:
    return {"type": "object", "required": ["status"], "properties": {"status": {"const": word}}}


def _kept(answer: dict[str, Any]) -> dict[str, Any]:
    """An answer that callers may keep, and what they are told who have it already."""
    return {"200": answer, "304": {"description": "The caller has it already.", "headers": answer["headers"]}}


_HEALTHZ: Final = public(
    "healthz",
    ("Is the process alive?", "Says nothing of the database."),
    tag=OPERATIONS["name"],
    parameters=parameters(),
    answers={"200": answer("It answers.", _status("ALIVE"), {"alive": said({"status": "ALIVE"})})},
    codes=("INTERNAL_ERROR",),
)
_READYZ: Final = public(
    "readyz",
    ("Can it do its work?", "The database is there and its schema is the one needed; a look at most a second old."),
    tag=OPERATIONS["name"],
    parameters=parameters(),
    answers={"200": answer("It can.", _status("READY"), {"ready": said({"status": "READY"})})},
)
_METRICS: Final = public(
    "metrics",
    ("Figures", "In Prometheus' text format; of all processes of this service together."),
    tag=OPERATIONS["name"],
    parameters=parameters(),
    answers={"200": file("The figures.", CONTENT_TYPE_LATEST, FIGURES)},
    codes=("INTERNAL_ERROR",),
)
_OPENAPI: Final = public(
    "openapi",
    ("This document", "OpenAPI 3.1."),
    tag=DESCRIPTION["name"],
    parameters=parameters("ifNoneMatch"),
    answers=_kept(
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
    ("This document as a page", "Swagger UI, served from here: it works without a way out to the internet."),
    tag=DESCRIPTION["name"],
    parameters=parameters("ifNoneMatch"),
    answers=_kept(file("The page.", "text/html; charset=utf-8", "<!doctype html>…", "ETag", "Content-Security-Policy")),
)
_ASSET: Final = public(
    "docs_asset",
    ("What the page loads", "Scripts, styles and the icon of the page."),
    tag=DESCRIPTION["name"],
    parameters=[
        {
            "name": "asset",
            "in": "path",
            "required": True,
            "description": "One of those that the page names.",
            "schema": {"type": "string"},
            "example": "page.css",
        },
        *parameters("ifNoneMatch"),
    ],
    answers=_kept(
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
