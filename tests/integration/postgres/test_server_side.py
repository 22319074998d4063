"""What the server does to our sessions: it ends idle transactions, changes tables under our feet, steps down."""

from collections.abc import Callable
from typing import Final

import pytest

from booking_core.application import list_seats
from booking_core.contracts.store.fixture import refused
from booking_core.domain.errors import ServiceBusy
from booking_core.domain.lifecycle import Status
from booking_postgres.driver.connection import Timeouts
from booking_postgres.driver.pipeline import Statement
from tests.support.postgres.stage import Stage, until

_IDLE: Final = """
    SELECT count(*) FROM pg_stat_activity
    WHERE datname = current_database() AND application_name = 'booking-core' AND state LIKE 'idle in transaction%'
"""

_SESSIONS: Final = (
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'booking-core'"
)


def test_the_bounds_hold_until_the_transaction_ends(stage: Stage) -> None:
    shows = [Statement(f"SHOW {name}_timeout", {}) for name in ("lock", "statement", "idle_in_transaction_session")]
    first: list[tuple[Callable[..., object], str]] = [
        (lambda uow: uow.bookings.lock_seats(stage.fixture.request(0)), "250ms"),
        (lambda uow: uow.bookings.expire_overdue(1), "1s"),
    ]
    for step, longest_wait in first:
        with stage.store.unit_of_work() as uow:
            step(uow)
            found = [rows[0][0] for rows in uow.transaction.run(shows)]

        assert found == [longest_wait, "10s", "10s"]


@pytest.mark.parametrize("attempt", range(5))
def test_a_process_that_is_stopped_does_not_keep_its_seats(stage: Stage, attempt: int) -> None:
    stage.store.timeouts = Timeouts(reservation_lock="1000ms", idle="100ms")
    with stage.store.unit_of_work() as uow:
        uow.bookings.lock_seats(stage.fixture.request(0, user="stopped"))
        until(lambda: stage.ask(_IDLE) == 0, "the server has ended the transaction")
        uow.bookings.add(stage.fixture.new_booking(0, user="stopped"))
        refused(ServiceBusy, uow.commit)

    stage.store.timeouts = Timeouts()
    assert stage.fixture.reserve(0).status is Status.PENDING


def test_reads_survive_a_migration_that_changes_a_type(stage: Stage) -> None:
    """A statement that was prepared before fails once; then it is not prepared any more."""
    event_id = stage.fixture.event.event_id
    for _ in range(8):
        list_seats(event_id, store=stage.store)
    stage.door.execute("ALTER TABLE booking.seats ALTER COLUMN number TYPE bigint")

    failed = 0
    for _ in range(4):
        try:
            assert len(list_seats(event_id, store=stage.store).seats) == 12
        except ServiceBusy:
            failed += 1

    assert failed <= 1


def test_a_server_that_steps_down_is_busy_and_is_left_for_the_next(stage: Stage) -> None:
    name = stage.door.info.dbname
    stage.door.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
    stage.store.close()
    with pytest.raises(ServiceBusy):
        stage.fixture.reserve(0)

    # The next server takes over under the same address; the sessions to the old one are still open.
    stage.door.execute(f"ALTER DATABASE {name} RESET default_transaction_read_only")
    assert stage.fixture.reserve(0).status is Status.PENDING


def test_the_sweep_reads_no_whole_table(stage: Stage) -> None:
    """While the tables are small every plan is quick, and one that reads all of them is the cheapest."""
    for place in range(3):
        stage.fixture.reserve(place, user=f"customer {place}")
    stage.age(601)
    stage.door.execute("ANALYZE")
    before = _rows_read_from_end_to_end(stage)

    with stage.store.unit_of_work() as uow:
        assert uow.bookings.expire_overdue(2).expired == 2
        uow.commit()

    assert _rows_read_from_end_to_end(stage) == before


def _rows_read_from_end_to_end(stage: Stage) -> int:
    """By all that is over: a session writes its figures at its end."""
    stage.store.close()
    until(lambda: stage.ask(_SESSIONS) == 0, "the sessions are over")
    read: int = stage.ask(
        "SELECT sum(seq_tup_read)::int FROM pg_stat_user_tables WHERE relname IN ('bookings', 'claims', 'holds')"
    )
    return read
