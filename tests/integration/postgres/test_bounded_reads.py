"""No read waits without end for whoever has a table, and what bounds it is gone with it."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final
from uuid import UUID

import pytest
from attrs import define, field

from booking_core.domain.errors import ServiceBusy, TransactionConflict
from booking_core.ports import Page
from tests.integration.postgres import bouncer
from tests.support.postgres.stage import Stage, open_store

LOCK_WAIT: Final = 1.0
LONGEST: Final = 2.0
SLACK: Final = 1.5  # the machine may be busy
Read = Callable[[Any], Any]
SESSION: Final = "SELECT pid FROM pg_stat_activity WHERE application_name = 'booking-core'"
# The table that is locked, the read, and how often it was read before.
READS: Final[dict[str, tuple[str, Read, int]]] = {
    "one, prepared": ("bookings", lambda stage: stage.store.reads.booking(stage.booking_id), 1),
    "one": ("bookings", lambda stage: stage.store.reads.booking(stage.booking_id), 0),
    "list": ("bookings", lambda stage: stage.store.reads.bookings_of("ada", None, Page()), 0),
    "history": ("history", lambda stage: stage.store.reads.history(stage.booking_id), 0),
    "event": ("events", lambda stage: stage.store.reads.event(stage.fixture.event.event_id), 0),
    "events": ("events", lambda stage: stage.store.reads.events(Page()), 0),
    "closures": ("events", lambda stage: stage.store.reads.open_closures(), 0),
    "seats": ("seats", lambda stage: stage.store.reads.seats(stage.fixture.event.event_id), 0),
    "seats, known": ("claims", lambda stage: stage.store.reads.seats(stage.fixture.event.event_id), 1),
}


@define(eq=False)
class Booked(Stage):
    """A stage with a booking on it."""

    booking_id: UUID = field(init=False)


@pytest.fixture
def stage(database_url: str) -> Iterator[Booked]:
    """Over one connection, so that every read has the same."""
    with Booked.at(database_url, connections=1) as stage:
        stage.booking_id = stage.fixture.reserve(0, user="ada").booking_id
        yield stage


@contextmanager
def locked(stage: Stage, table: str) -> Iterator[None]:
    with stage.outsider() as outsider:
        outsider.execute(f"LOCK TABLE booking.{table} IN ACCESS EXCLUSIVE MODE")
        yield


def assert_given_up(stage: Stage, read: Read, after: float) -> None:
    start = time.monotonic()
    with pytest.raises(ServiceBusy) as busy:
        read(stage)
    assert after * 0.9 <= time.monotonic() - start < after + SLACK
    assert not isinstance(busy.value, TransactionConflict)


@pytest.mark.parametrize(("table", "read", "before"), READS.values(), ids=READS)
def test_a_read_is_given_up_after_a_second_and_the_connection_serves_on(
    stage: Booked, table: str, read: Read, before: int
) -> None:
    for _ in range(before):
        read(stage)
    session = stage.ask(SESSION)
    with locked(stage, table):
        assert_given_up(stage, read, LOCK_WAIT)

    read(stage)
    assert stage.ask(SESSION) == session


def test_a_read_that_takes_too_long_is_given_up_after_two_seconds(stage: Booked) -> None:
    stage.door.execute("ALTER TABLE booking.history RENAME TO entries")
    stage.door.execute("CREATE VIEW booking.history AS SELECT e.* FROM booking.entries e, pg_sleep(10)")

    assert_given_up(stage, READS["history"][1], LONGEST)


@pytest.fixture(params=["direct", "behind pgbouncer"])
def shared(stage: Booked, request: pytest.FixtureRequest) -> Iterator[Booked]:
    """One session of the server, which serves us now and somebody else then."""
    if request.param == "direct":
        yield stage
        return
    if bouncer.program() is None:
        pytest.skip(bouncer.MISSING)
    stage.store.close()
    with bouncer.bouncer_before(stage.url, pool_size=1) as url:
        stage.store = open_store(url)
        yield stage
        stage.store.close()


@pytest.mark.parametrize("setting", ["lock_timeout", "statement_timeout"])
def test_no_bound_outlives_its_read(shared: Booked, setting: str) -> None:
    def left() -> Any:
        with shared.store.engine.connect() as connection:
            return connection.exec_driver_sql(f"SHOW {setting}").scalar()

    shared.store.reads.booking(shared.booking_id)
    assert left() == "0"
    with locked(shared, "bookings"):
        assert_given_up(shared, READS["list"][1], LOCK_WAIT)
        assert left() == "0"
