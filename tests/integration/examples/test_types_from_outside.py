"""The public API as a type checker sees it in another project: over the installed wheel, `mypy --strict`."""

import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

import booking_core
import booking_core.contracts
import booking_core.ports
from tests.integration.examples.outside import EXAMPLES, Outside

CLIENT: Final = """
from collections.abc import Sequence
from typing import assert_type
from uuid import UUID

from sqlalchemy import Connection

from booking_core import Booking, ReplayedResponse, Page, Refusal, Reserve, SeatMap, Status
from booking_core import expire, get_booking, list_bookings, list_seats, reserve, start_payment
from booking_core.ports import Delivery, EventBus, ExpiryResult, Message, OutboxRecord, Paged, Store
from booking_memory.store import MemoryStore
from booking_postgres.store import PostgresStore

memory: Store = MemoryStore()


def order(store: PostgresStore, connection: Connection, seats: Sequence[UUID]) -> str:
    joined: Store = store.on(connection)
    wanted = Reserve(user_id="ann", event_id=seats[0], seat_ids=tuple(seats), correlation_id="1")
    try:
        booking = reserve(wanted, store=joined)
    except Refusal as refusal:
        assert_type(refusal.code, str)
        return refusal.code
    assert_type(booking, Booking)
    assert_type(booking.status, Status)
    assert_type(list_bookings("ann", None, Page(number=2), store=store), Paged[Booking])
    assert_type(list_seats(booking.event_id, store=store), SeatMap)
    assert_type(expire(store=store), ExpiryResult)
    assert_type(store.outbox.unpublished(10), Sequence[OutboxRecord])
    return str(booking.total.amount)


def publish(bus: EventBus) -> Sequence[Delivery]:
    bus.publish("topic", [Message(key=b"k", value=b"v")])
    return bus.subscribe("topic", "group").poll(1.0)
"""

# Each line must be refused, with this code of mypy's.
WRONG: Final = {
    'reserve("seat", store=store)': "arg-type",
    "reserve(command)": "call-arg",
    'Reserve(user_id=1, event_id=event, seat_ids=(), correlation_id="1")': "arg-type",
    "get_booking(event, event, store=store).status.valeu": "attr-defined",
    "store.unit_of_work().bookings.add(command)": "arg-type",
    'Message(key="text", value=b"")': "arg-type",
}


def mypy(outside: Outside, *arguments: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    """mypy of this project, over the packages of that environment and in a directory without any settings."""
    command = (sys.executable, "-m", "mypy", "--strict", "--python-executable", outside.python, *arguments)
    cache = ("--cache-dir", outside.venv / "mypy")
    environ = outside.environment({"MYPYPATH": str(EXAMPLES)})
    return subprocess.run((*command, *cache), cwd=cwd, env=environ, capture_output=True, text=True, timeout=280)


@pytest.mark.timeout(300)
def test_a_client_is_checked_strictly(outside: Outside, tmp_path: Path) -> None:
    """Every public name can be imported by name, which --strict forbids for what is re-exported by accident."""
    modules = (booking_core, booking_core.ports, booking_core.contracts)
    imports = [f"from {module.__name__} import {', '.join(module.__all__)}\n" for module in modules]
    (tmp_path / "names.py").write_text("".join(imports))
    (tmp_path / "client.py").write_text(CLIENT)

    checked = mypy(outside, "names.py", "client.py", cwd=tmp_path)

    assert checked.returncode == 0, checked.stdout


@pytest.mark.timeout(300)
def test_what_is_wrong_is_seen(outside: Outside, tmp_path: Path) -> None:
    head = (
        "from uuid import UUID\nfrom booking_core import Reserve, get_booking, reserve\n"
        "from booking_core.ports import Message, Store\n"
        "def wrong(store: Store, command: Reserve, event: UUID) -> None:\n"
    )
    (tmp_path / "wrong.py").write_text(head + "".join(f"    {line}\n" for line in WRONG))

    checked = mypy(outside, "wrong.py", cwd=tmp_path)

    begin = head.count("\n") + 1
    for number, (line, code) in enumerate(WRONG.items(), begin):
        found = [each for each in checked.stdout.splitlines() if each.startswith(f"wrong.py:{number}: error:")]
        assert any(each.endswith(f"[{code}]") for each in found), f"{line}\n{checked.stdout}"


@pytest.mark.timeout(300)
def test_the_examples_are_checked_strictly(outside: Outside, tmp_path: Path) -> None:
    packages = [argument for name in ("flask_shop", "fastapi_shop") for argument in ("-p", name)]

    checked = mypy(outside, *packages, "-p", "booking_sqlite_bus", cwd=tmp_path)

    assert checked.returncode == 0, checked.stdout


def test_the_authors_tests_are_checked_strictly(outside: Outside, tmp_path: Path) -> None:
    checked = mypy(outside, *sorted((EXAMPLES / "sqlite_bus/tests").glob("*.py")), cwd=tmp_path)

    assert checked.returncode == 0, checked.stdout
