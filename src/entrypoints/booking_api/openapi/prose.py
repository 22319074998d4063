"""The text at the head of the document: what holds for every route."""

from booking_api.auth.verifier import LONGEST_TOKEN
from booking_api.http.errors import STATUS
from booking_api.http.query import LARGEST_LIMIT
from booking_api.http.request import LONGEST_BODY
from booking_api.openapi.refusals import WHEN
from booking_api.routes.bookings import BOOKINGS
from booking_api.routes.events import EVENTS
from booking_core.domain.policies import MAX_SEATS


def description() -> str:
    """In Markdown; the table of errors is that of the code."""
    rows = "\n".join(f"| `{code}` | {status} | {WHEN[code]} |" for code, status in STATUS.items())
    return f"""\
**A booking in six requests.** `GET {EVENTS}`, then `…/{{eventId}}/seats` of one of them; `POST {BOOKINGS}` with up to \
{MAX_SEATS} of those seats; pay at the Payment Service with the `bookingId`, which is not part of this API (`booking \
dev` plays it: `POST /dev/payments {{"bookingId": …, "outcome": "success"}}`); `GET {BOOKINGS}/{{bookingId}}` until it \
is CONFIRMED or CANCELLED; `…/{{bookingId}}/ticket.svg`.

**Tokens.** Everything under `/api` needs `Authorization: Bearer …` with an RS256 token of the configured issuer, of \
at most {LONGEST_TOKEN} characters; its `sub` is the customer. On this page: *Authorize*, and paste the token alone. \
`booking dev` prints one, and makes more: `POST /dev/token {{"user": "alice"}}`, \
with `"admin": true` one that may also verify tickets and cancel events.

**Answers** are JSON, whatever `Accept` says: `{{"success": true, "data": …}}` or \
`{{"success": false, "error": {{"code", "message", "details"}}}}`. Decide \
by `code`; `message` is for people and may change. Fields may be added to answers; ignore \
those that you do not know. Requests are stricter: JSON in UTF-8, \
`application/json` if they name a type, and a field that is not known, or given twice, is refused.

**Times** are in UTC and end with `Z`. **Amounts** are JSON numbers with the currency's decimals; read them as \
decimals, not as binary fractions. **Ids** are UUIDs.

**Sending again.** With an `Idempotency-Key` a `POST` can be sent again until an answer arrives. After 503, and \
after IDEMPOTENCY_IN_PROGRESS, wait for `Retry-After` seconds. GET and DELETE can always be sent again. Every GET also \
answers HEAD.

**Following a request.** Every answer has `X-Correlation-Id`, yours if you sent one; the log and the events have it too.

**Limits.** Bodies have at most {LONGEST_BODY // 1024} KB, and 10 s to arrive; the request line and headers together \
64 KB, beyond which the server refuses or closes the connection without this envelope. Lists have at most \
{LARGEST_LIMIT} entries on a page. There is no limit on requests per second: whoever would have to wait for \
long is told SERVICE_BUSY at once.

**Browsers.** Pages of the configured origins may call this (CORS): answers to them have \
`Access-Control-Allow-Origin` and `Vary: Origin`, and preflights are answered with 204.

<details>
<summary><strong>Every error code</strong></summary>

| code | status | when |
|---|---|---|
{rows}

</details>
"""
