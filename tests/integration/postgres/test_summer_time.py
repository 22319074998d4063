"""A database that thinks in Berlin's time: ten minutes are ten minutes when its clocks change, and 24 hours are 24."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import psycopg
import pytest
from attrs import evolve
from sqlalchemy import Engine, create_engine

from booking_core.application import expire
from booking_core.domain.booking import Booking
from booking_core.domain.lifecycle import Status
from booking_core.domain.policies import Facts, br_04_full_refund
from booking_core.domain.values import CancellationReason
from booking_core.ports import Page, Store
from booking_postgres.store import PostgresStore
from tests.support.postgres.stage import Stage

BERLIN = ZoneInfo("Europe/Berlin")
WINDOW = timedelta(minutes=10)
# In UTC, five minutes before the clocks change: to winter and to summer, before and after anybody's today.
CHANGES = [
    datetime(2019, 10, 27, 0, 55, tzinfo=UTC),
    datetime(2019, 3, 31, 0, 55, tzinfo=UTC),
    datetime(2037, 10, 25, 0, 55, tzinfo=UTC),
    datetime(2037, 3, 29, 0, 55, tzinfo=UTC),
]
PAST = CHANGES[:2]


@pytest.fixture
def stage(database_url: str) -> Iterator[Stage]:
    """Every session begins in Berlin; the door speaks UTC."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(f"ALTER DATABASE {connection.info.dbname} SET TimeZone TO 'Europe/Berlin'")
    with Stage.at(database_url) as stage:
        assert stage.ask("SHOW TimeZone") == "Europe/Berlin"
        stage.door.execute("SET TimeZone TO 'UTC'")
        yield stage


@pytest.fixture
def berliner(stage: Stage) -> Iterator[Engine]:
    """A caller's own connections, which stay in Berlin's time."""
    engine = create_engine(stage.url.replace("postgresql://", "postgresql+psycopg://", 1))
    yield engine
    engine.dispose()


def move(stage: Stage, booking: Booking, to: datetime) -> None:
    """The booking was made at that moment."""
    times = {"id": booking.booking_id, "made": to, "ends": to + WINDOW}
    stage.door.execute(
        "UPDATE booking.bookings SET created_at = %(made)s, expires_at = %(ends)s, deadline = %(ends)s"
        " WHERE booking_id = %(id)s",
        times,
    )
    for change in (
        "UPDATE booking.claims SET held_until = %(ends)s WHERE booking_id = %(id)s",
        "UPDATE booking.holds SET deadline = %(ends)s WHERE booking_id = %(id)s",
    ):
        stage.door.execute(change, times)


def read_in_every_way(booking: Booking, store: Store) -> list[Booking]:
    with store.unit_of_work() as uow:
        locked = uow.bookings.lock(booking.booking_id)[booking.booking_id]
    snapshot = store.reads.booking(booking.booking_id)
    assert locked is not None
    assert snapshot is not None
    [listed] = store.reads.bookings_of(booking.user_id, None, Page()).items
    return [locked.booking, snapshot.booking, listed]


@pytest.mark.parametrize("made", CHANGES, ids=str)
def test_the_window_is_ten_minutes(stage: Stage, berliner: Engine, made: datetime) -> None:
    booking = stage.fixture.reserve(0)
    move(stage, booking, made)

    with berliner.connect() as connection:
        joined = PostgresStore(berliner).on(connection)
        found = [*read_in_every_way(booking, stage.store), *read_in_every_way(booking, joined)]

    assert {each.created_at for each in found} == {made}
    assert {each.expires_at - each.created_at for each in found} == {WINDOW}
    assert {each.created_at + WINDOW for each in found} == {made + WINDOW}
    overdue = made in PAST
    assert {each.status for each in found[1:3]} == {Status.CANCELLED if overdue else Status.PENDING}
    assert not overdue or {each.cancelled_at for each in found[1:3]} == {made + WINDOW}


@pytest.mark.parametrize("made", PAST, ids=str)
def test_the_sweep_ends_a_hold_at_its_deadline(stage: Stage, made: datetime) -> None:
    booking = stage.fixture.reserve(0)
    move(stage, booking, made)

    assert expire(store=stage.store).expired == 1

    ended = stage.fixture.stored(booking)
    assert (ended.status, ended.cancellation_reason) == (Status.CANCELLED, CancellationReason.EXPIRED)
    assert ended.cancelled_at == made + WINDOW
    assert stage.ask("SELECT ended_at FROM booking.claims") == made + WINDOW
    stamps = [row[0] for row in stage.door.execute("SELECT body::json ->> 'timestamp' FROM booking.outbox")]
    assert all(stamp.endswith("Z") for stamp in stamps)
    stage.check_books()


@pytest.mark.parametrize("before", [timedelta(hours=24), timedelta(hours=24, seconds=1)], ids=str)
@pytest.mark.parametrize("change", CHANGES, ids=str)
def test_br_04_counts_24_hours_and_not_the_same_time_of_the_day_before(
    stage: Stage, berliner: Engine, change: datetime, before: timedelta
) -> None:
    starts_at = (change + timedelta(hours=12)).astimezone(BERLIN)
    booking = stage.fixture.reserve(0)
    with stage.store.unit_of_work() as uow:
        uow.events.put(evolve(stage.fixture.event, starts_at=starts_at), ages=False, complete=True)
        uow.commit()
    assert stage.ask("SELECT starts_at FROM booking.events") == change + timedelta(hours=12)
    move(stage, booking, change + timedelta(hours=12) - before)

    with berliner.connect() as connection:
        for store in (stage.store, PostgresStore(berliner).on(connection)):
            with store.unit_of_work() as uow:
                locked = uow.bookings.lock(booking.booking_id)[booking.booking_id]
            assert locked.event_starts_at is not None
            refunded = br_04_full_refund(Facts(now=locked.booking.created_at, event_starts_at=locked.event_starts_at))
            assert refunded is (before > timedelta(hours=24))


def test_the_hour_that_comes_twice_is_written_as_the_one_it_is(stage: Stage) -> None:
    """02:30 of the day when summer ends: `fold` says which."""
    for fold, instant in ((0, "00:30"), (1, "01:30")):
        starts_at = datetime(2037, 10, 25, 2, 30, tzinfo=BERLIN, fold=fold)
        with stage.store.unit_of_work() as uow:
            uow.events.put(evolve(stage.fixture.event, starts_at=starts_at), ages=False, complete=True)
            uow.commit()
        known = stage.store.reads.event(stage.fixture.event.event_id)
        assert known is not None
        assert known.event.starts_at.astimezone(UTC) == datetime.fromisoformat(f"2037-10-25T{instant}:00+00:00")
