"""What `booking dev` prints when it is ready: prose in comments, and lines for bash that need curl and python3."""

import shlex
from pathlib import Path
from typing import Final
from uuid import UUID

from attrs import frozen


@frozen(kw_only=True)
class Ready:
    """What there is to tell. `alice` is a token; `database` is where PostgreSQL keeps its files.

    `environment` is the file that other commands find this database with.
    """

    url: str
    event_id: UUID
    alice: str
    data_dir: Path
    database: Path
    environment: Path


def walk(ready: Ready) -> str:
    """A screenful, all of which may be pasted. Nothing in it is used up: it works again and again."""
    kept = str(ready.data_dir)
    if not ready.database.is_relative_to(ready.data_dir):
        kept += f", and the database in {ready.database}"
    return (
        f"# booking dev is ready at {ready.url} - press ^C to stop it. Everything is kept in {kept}.\n"
        f"# Other commands, such as `booking stats`, work on it after: . {shlex.quote(str(ready.environment))}\n"
        f"# Open {ready.url}/ in a browser: it is a seat map, and each tab is another customer.\n"
        "# Or paste this into bash elsewhere: Alice holds two seats, Bob is refused them, Alice pays, and cancels.\n"
        f"API={ready.url} EVENT={ready.event_id}\n"
        f"{_TOOLS}"
        f"ALICE={ready.alice}\n"
        f"{_WALK}"
    )


# One command to a line. Statuses go to standard error, so that what is piped on is JSON. The seats are looked for,
# for somebody may hold the first ones. A backslash at the end of a line is Python's, not bash's.
_TOOLS: Final = """\
call() { curl -sS -w '%{stderr}\\nHTTP %{http_code}\\n' -H "Authorization: Bearer $1" \
-H 'Content-Type: application/json' "${@:2}"; }
data() { python3 -c "import json, sys; data = json.load(sys.stdin)['data']; print($1)"; }
"""
_WALK: Final = """\
BOB=$(curl -sS $API/dev/token -d '{"user": "bob"}' | data "data['token']")

call $ALICE $API/api/v1/events
SEATS=$(call $ALICE $API/api/v1/events/$EVENT/seats | \
data "json.dumps([seat['seatId'] for seat in data['seats'] if seat['status'] == 'AVAILABLE'][:2])")
ORDER="{\\"eventId\\": \\"$EVENT\\", \\"seatIds\\": $SEATS}"
HELD=$(call $ALICE $API/api/v1/bookings -d "$ORDER"); echo "$HELD"
BOOKING=$(echo "$HELD" | data "data['bookingId']")
call $BOB $API/api/v1/bookings -d "$ORDER"
call $ALICE $API/dev/payments -d "{\\"bookingId\\": \\"$BOOKING\\", \\"outcome\\": \\"success\\"}"
sleep 1; call $ALICE $API/api/v1/bookings/$BOOKING
call $ALICE -X DELETE $API/api/v1/bookings/$BOOKING
sleep 3; call $ALICE $API/api/v1/bookings/$BOOKING | data "data['refund']"
"""
