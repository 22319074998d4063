"""The whole document, and the text at its head, which holds for every route."""

from importlib.metadata import PackageNotFoundError, version
from typing import Any, Final

from booking_api.auth.verifier import LONGEST_TOKEN
from booking_api.http.errors import STATUS
from booking_api.http.flask_app import LONGEST_BODY
from booking_api.http.query import LARGEST_LIMIT
from booking_api.openapi import booking_paths, event_paths, other_paths, ticket_paths
from booking_api.openapi.error_responses import WHEN, response, schemas
from booking_api.openapi.headers import HEADERS, PARAMETERS
from booking_api.openapi.operations import BEARER
from booking_api.openapi.schemas import SCHEMAS
from booking_api.routes.bookings import BOOKINGS
from booking_api.routes.events import EVENTS
from booking_core.domain.policies import MAX_SEATS

_SUBJECTS: Final = (booking_paths, ticket_paths, event_paths)
_PATHS: Final = (*_SUBJECTS, other_paths)


def document() -> dict[str, Any]:
    """The description of every route of the API, as plain JSON; a new object at each call."""
    return {
        "openapi": "3.1.1",
        "info": {
            "title": "Booking",
            "version": _version(),
            "summary": "Seats of events: reserve, pay, cancel",
            "description": _description(),
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/", "description": "The server of this document"}],
        "security": [{BEARER: []}],
        "tags": [*(each.TAG for each in _SUBJECTS), other_paths.OPERATIONS, other_paths.DESCRIPTION],
        "paths": {path: item for each in _PATHS for path, item in each.PATHS.items()},
        "components": {
            "securitySchemes": {
                BEARER: {
                    "type": "http",
                    "scheme": "bearer",
                    "bearerFormat": "JWT",
                    "description": "RS256, for the audience of this service; `permissions` lists what it grants.",
                }
            },
            "schemas": SCHEMAS | ticket_paths.SCHEMAS | schemas(),
            "headers": HEADERS,
            "parameters": PARAMETERS,
            # Of no operation: the responses to other paths and other methods.
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


def _description() -> str:
    """In Markdown; the table of errors is that of the code."""
    rows = "\n".join(f"| `{code}` | {status} | {WHEN[code]} |" for code, status in STATUS.items())
    return f"""\
**A booking in six requests.** `GET {EVENTS}`, then `…/{{eventId}}/seats` of one of them; `POST {BOOKINGS}` with up to \
{MAX_SEATS} of those seats; pay at the Payment Service with the `bookingId`, which is not part of this API (`booking \
dev` simulates it: `POST /dev/payments {{"bookingId": …, "outcome": "success"}}`); `GET {BOOKINGS}/{{bookingId}}` \
until it is CONFIRMED or CANCELLED; `…/{{bookingId}}/ticket.svg`.

**Tokens.** Every path under `/api` requires `Authorization: Bearer …` with an RS256 token of the configured issuer, \
of at most {LONGEST_TOKEN} characters; its `sub` is the customer. On this page: *Authorize*, and paste the token. \
`booking dev` prints one, and creates more: `POST /dev/token {{"user": "alice"}}`, \
with `"admin": true` one that may also verify tickets and cancel events.

**Responses** are JSON, whatever `Accept` asks for: `{{"success": true, "data": …}}` or \
`{{"success": false, "error": {{"code", "message", "details"}}}}`. Decide \
by `code`; `message` is for people and may change. Fields may be added to responses; ignore \
those that you do not know. Requests are stricter: JSON in UTF-8, \
`application/json` if they have a Content-Type, and a field that is unknown, or given twice, is rejected.

**Times** are in UTC and end with `Z`. **Amounts** are JSON numbers with the currency's decimals; parse them as \
decimals, not as binary fractions. **Ids** are UUIDs.

**Retries.** With an `Idempotency-Key` a `POST` can be sent again until a response arrives. After 503, and \
after IDEMPOTENCY_IN_PROGRESS, wait for `Retry-After` seconds. GET and DELETE can always be sent again. Every GET also \
supports HEAD.

**Tracing a request.** Every response has `X-Correlation-Id`, yours if you sent one; so do the log and the events.

**Limits.** A body has at most {LONGEST_BODY // 1024} KB, and 10 s to arrive; request line and headers together have \
at most 64 KB, beyond which the server rejects the request or closes the connection without this envelope. A page of a \
list has at most {LARGEST_LIMIT} entries. There is no limit on requests per second: a request that would wait too \
long is rejected at once with SERVICE_BUSY.

**Browsers.** Pages of the configured origins may call this API (CORS): responses to them have \
`Access-Control-Allow-Origin` and `Vary: Origin`, and preflights get 204.

<details>
<summary><strong>Every error code</strong></summary>

| code | status | when |
|---|---|---|
{rows}

</details>
"""
