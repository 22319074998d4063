"""Instructions of `booking dev`: the lines that it prints when it is ready, and a file of settings for other commands.

The lines are for bash with curl and python3.
"""

import shlex
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final
from uuid import UUID

from attrs import frozen

from booking_dev.tokens import write_private_file

ENVIRONMENT_FILE: Final = "environment.sh"


@contextmanager
def environment_file(directory: Path, settings: Mapping[str, str]) -> Iterator[Path]:
    """Write a file that sets the settings when a shell sources it; remove it at the end of the block.

    The file holds the database's password, so its mode is 0600. A file of a killed run is replaced. Raises OSError.
    """
    path = directory / ENVIRONMENT_FILE
    lines = (f"export {name}={shlex.quote(value)}\n" for name, value in settings.items())
    write_private_file(path, "".join(lines).encode())
    try:
        yield path
    finally:
        path.unlink(missing_ok=True)


@frozen(kw_only=True)
class Ready:
    """Facts for the instructions. `alice` is a token; `database` is the directory of PostgreSQL's files.

    `environment` is the file with the settings for other commands.
    """

    url: str
    event_id: UUID
    alice: str
    data_dir: Path
    database: Path
    environment: Path


def instructions(ready: Ready) -> str:
    """Format the instructions: one screen of bash, with prose in comments. It can be pasted again and again."""
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
        f"{_STEPS}"
    )


# One command to a line. Statuses go to standard error, so that pipes contain JSON only. The seats are the first
# available ones, because others may be held. A backslash at the end of a line is Python's, not bash's.
_TOOLS: Final = """\
call() { curl -sS -w '%{stderr}\\nHTTP %{http_code}\\n' -H "Authorization: Bearer $1" \
-H 'Content-Type: application/json' "${@:2}"; }
data() { python3 -c "import json, sys; data = json.load(sys.stdin)['data']; print($1)"; }
"""
_STEPS: Final = """\
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
