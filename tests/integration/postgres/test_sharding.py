"""The schema and the hot statements keep to design, section 10, so that the tables can be sharded without a change.

Two sides: the event's leads with `slot`, the user's with `user_id`. Every hot statement says which shard it is for.
"""

import re
from collections.abc import Sequence
from typing import Any, Final

import psycopg
import pytest

from booking_core.application import IdempotentCall, cancel_event, get_ticket, list_seats, reserve_once, verify_ticket
from booking_core.contracts.store.fixture import refused
from booking_core.domain.commands import CancelEvent
from booking_core.domain.errors import SeatAlreadyReserved
from booking_core.domain.reservation import IdempotencyKey
from booking_postgres.driver import pipeline, reader, transaction
from tests.support.postgres.stage import Stage, until

USERS_SIDE: Final = {"customers", "holds", "idempotency_keys"}
EVENTS_SIDE: Final = {"events", "seats", "bookings", "claims", "payments", "history", "outbox", "inbox"}
NO_SIDE: Final = {"schema_version", "migration_turn"}

_TABLES: Final = "SELECT tablename FROM pg_tables WHERE schemaname = 'booking'"
_FOREIGN_KEYS: Final = """
    SELECT c.conrelid::regclass::text, c.confrelid::regclass::text, first.attname, target.attname FROM pg_constraint c
    JOIN pg_attribute first ON first.attrelid = c.conrelid AND first.attnum = c.conkey[1]
    JOIN pg_attribute target ON target.attrelid = c.confrelid AND target.attnum = c.confkey[1]
    WHERE c.contype = 'f' AND c.connamespace = 'booking'::regnamespace
"""
_UNIQUE: Final = """
    SELECT i.indrelid::regclass::text, i.indexrelid::regclass::text, a.attname FROM pg_index i
    JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0]
    JOIN pg_class t ON t.oid = i.indrelid
    WHERE i.indisunique AND t.relnamespace = 'booking'::regnamespace
"""
_TABLE_NAMES: Final = re.compile(r"(?:FROM|JOIN|INTO|UPDATE|USING)\s+booking\.(\w+)(?!\w*\s*\()", re.I)
_SLOT: Final = re.compile(r"\bslot\s*=\s*(?:%\(slot|\$|p_slot|b\.slot|:slot)|\(slot,", re.I)
_USER: Final = re.compile(r"\buser_id\s*=\s*(?:%\(user_id|\$|p_user_id|:user_id)|\(user_id\b", re.I)


def side_of(table: str) -> str:
    """The column that leads the keys of this table."""
    name = table.removeprefix("booking.")
    return "user_id" if name in USERS_SIDE else "slot"


def test_every_table_is_on_one_side(stage: Stage) -> None:
    tables = {row[0] for row in stage.door.execute(_TABLES)}

    assert tables == USERS_SIDE | EVENTS_SIDE | NO_SIDE


def test_every_key_leads_with_the_column_of_its_side(stage: Stage) -> None:
    found = [row for row in stage.door.execute(_UNIQUE) if row[0].removeprefix("booking.") not in NO_SIDE]

    assert len(found) >= len(USERS_SIDE | EVENTS_SIDE)
    assert [row for row in found if row[2] != side_of(row[0])] == []


def test_no_foreign_key_crosses_the_sides(stage: Stage) -> None:
    found = stage.door.execute(_FOREIGN_KEYS).fetchall()

    assert found
    assert [row for row in found if {row[2], row[3]} != {side_of(row[0])} or side_of(row[0]) != side_of(row[1])] == []


def test_there_are_no_triggers_and_no_sequences(stage: Stage) -> None:
    assert stage.ask("SELECT count(*) FROM pg_trigger WHERE NOT tgisinternal") == 0
    assert stage.ask("SELECT count(*) FROM pg_sequences WHERE schemaname = 'booking'") == 0


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every statement that psycopg or a batch is given, whoever gives it."""
    statements: list[str] = []
    execute = psycopg.Cursor.execute
    run = pipeline.run

    def spy_on_batches(connection: Any, given: Sequence[pipeline.Statement], **more: Any) -> Any:
        statements.extend(statement.sql for statement in given)
        return run(connection, given, **more)

    def spy(self: Any, query: Any, *args: Any, **more: Any) -> Any:
        statements.append(query if isinstance(query, str) else str(query))
        return execute(self, query, *args, **more)

    monkeypatch.setattr(psycopg.Cursor, "execute", spy)
    monkeypatch.setattr(transaction, "run", spy_on_batches)
    monkeypatch.setattr(reader, "run", spy_on_batches)
    return statements


def hot_use_cases(stage: Stage) -> None:
    fixture = stage.fixture
    once = IdempotentCall(
        key=IdempotencyKey(user_id="ada", operation="POST /bookings", key="k", fingerprint="f"),
        render=lambda booking: "{}",
    )
    for _ in range(2):
        reserve_once(fixture.command(0, 1), once=once, store=stage.store)
    booking = fixture.reserve(2)
    refused(SeatAlreadyReserved, lambda: fixture.reserve(2, user="grace"))
    fixture.start_payment(booking)
    fixture.pay(booking)
    fixture.pay(booking, "pay-2")
    ticket = get_ticket("ada", booking.booking_id, store=stage.store)
    assert verify_ticket(ticket, store=stage.store).booking_id == booking.booking_id
    stage.store.reads.history(booking.booking_id)
    list_seats(booking.event_id, store=stage.store)
    fixture.cancel(booking)
    late = fixture.reserve(3, user="late", window=0.001)
    until(lambda: bool(stage.ask("SELECT clock_timestamp() > %s", [late.deadline])), "the hold is overdue")
    fixture.reserve(3, user="grace")  # settles the one before
    with stage.store.unit_of_work() as uow:
        uow.events.put_seats(booking.event_id, fixture.seats)
        uow.events.withdraw_seats(booking.event_id, fixture.ids(*range(11)))
        uow.commit()
    command = CancelEvent(event_id=booking.event_id, reason="rain", administrator="admin", correlation_id="c")
    cancel_event(command, store=stage.store)


def test_every_hot_statement_says_which_shard_it_is_for(stage: Stage, sent: list[str]) -> None:
    hot_use_cases(stage)
    body = stage.ask("SELECT prosrc FROM pg_proc WHERE oid = 'booking.lock_and_load_2'::regproc")

    of_ours = {statement for statement in sent if "booking." in statement} | set(re.split(r";\n", body))
    astray = [statement for statement in of_ours if not _is_at_home(statement)]

    assert len([statement for statement in of_ours if _TABLE_NAMES.search(statement)]) > 20
    assert astray == []


def _is_at_home(statement: str) -> bool:
    tables = {name.lower() for name in _TABLE_NAMES.findall(statement)}
    slot, user = bool(_SLOT.search(statement)), bool(_USER.search(statement))
    return (slot or not tables & EVENTS_SIDE) and (user or not tables & USERS_SIDE)


@pytest.mark.parametrize(
    ("statement", "at_home"),
    [
        ("SELECT 1 FROM booking.seats WHERE slot = %(slot)s AND seat_id = 1", True),
        ("SELECT 1 FROM booking.seats WHERE seat_id = 1", False),
        ("INSERT INTO booking.claims (slot, event_id) VALUES (1, 2)", True),
        ("INSERT INTO booking.holds (user_id, booking_id) VALUES (1, 2)", True),
        ("DELETE FROM booking.holds WHERE booking_id = 1", False),
        ("WITH a AS (INSERT INTO booking.claims (slot) VALUES (1)) DELETE FROM booking.holds", False),
        ("SELECT 1", True),
    ],
)
def test_the_check_itself(statement: str, at_home: bool) -> None:
    assert _is_at_home(statement) is at_home
