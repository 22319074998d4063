"""The pages of the HTTP API, from its OpenAPI description and its table of errors."""

from typing import Any, Final

from error_texts import WHAT_TO_DO

from booking_api.http.errors import STATUS
from booking_api.openapi.document import document
from booking_api.openapi.error_responses import WHEN

_MADE: Final = "<!-- Made by `python docs/generate.py` from booking_api; changes belong there. -->"
_ROUTES: Final = """\
{made}

# HTTP API

A running service describes itself: `/docs` is a page that lists the routes and sends requests, and `/openapi.json`
has the same for programs (OpenAPI 3.1), with every field, header and example. Both need no token and no internet.
This page lists the routes with their [errors](errors.md). Every route may also respond with `SERVICE_BUSY` and
`INTERNAL_ERROR`, and every route that needs a token with `UNAUTHENTICATED`.
{groups}

## Rules for every route

From the beginning of `/docs`:

{prose}
"""
_GROUP: Final = """
## {name}

{description}

| request | | token | errors |
|---|---|---|---|
{rows}
"""
_ERRORS: Final = """\
{made}

# Errors

Every response that is not a success has this form. Decide by `code`; `message` is for people and may change.

```json
{{
  "success": false,
  "error": {{
    "code": "SEAT_ALREADY_RESERVED",
    "message": "One or more seats are already reserved",
    "details": {{ "unavailableSeatIds": ["1e7d036f-4e6d-5712-9fcd-7692ec16a09e"] }}
  }}
}}
```

| code | status | when | what to do |
|---|---|---|---|
{rows}

SERVICE_BUSY, CATALOG_UNAVAILABLE and IDEMPOTENCY_IN_PROGRESS have `Retry-After` in whole seconds. A POST that is sent
again with the same `Idempotency-Key` is done once, whatever the outcome of the first request.

The library raises the same refusals as typed errors of `booking_core`, each with its `code` and `details`.
"""


def routes_page() -> str:
    """Every route, by subject."""
    described = document()
    head = described["info"]["description"].partition("<details>")[0].rstrip()
    quoted = "\n".join(f"> {line}".rstrip() for line in head.splitlines())
    rows: dict[str, list[str]] = {tag["name"]: [] for tag in described["tags"]}
    for path, item in described["paths"].items():
        for method, operation in item.items():
            rows[operation["tags"][0]].append(_route(method, path, operation))
    groups = [
        _GROUP.format(name=tag["name"], description=tag["description"], rows="\n".join(rows[tag["name"]]))
        for tag in described["tags"]
    ]
    return _ROUTES.format(made=_MADE, prose=quoted, groups="".join(groups).rstrip())


def errors_page() -> str:
    """Every code, in the order of the table."""
    rows = [f"| `{code}` | {status} | {WHEN[code]} | {WHAT_TO_DO[code]} |" for code, status in STATUS.items()]
    return _ERRORS.format(made=_MADE, rows="\n".join(rows))


def _route(method: str, path: str, operation: dict[str, Any]) -> str:
    granted = [permission for scheme in operation["security"] for permission in next(iter(scheme.values()))]
    token = ("yes" + "".join(f", with `{each}`" for each in granted)) if operation["security"] else "no"
    summary = operation["summary"].rstrip(".")
    codes = ", ".join(f"`{code}`" for code in STATUS if code in _codes(operation))
    return f"| `{method.upper()} {path}` | {summary} | {token} | {codes} |"


def _codes(operation: dict[str, Any]) -> set[str]:
    """The error codes of an operation, without those that every route has."""
    found = {
        code
        for answer in operation["responses"].values()
        for content in answer.get("content", {}).values()
        for code in content.get("examples", {})
    }
    return found - {"UNAUTHENTICATED", "SERVICE_BUSY", "INTERNAL_ERROR"}
