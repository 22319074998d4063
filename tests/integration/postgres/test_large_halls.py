"""Statements over a set of seats read rows in proportion to the seats, whatever the server thinks of its tables."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Final
from uuid import uuid4

import pytest
from attrs import evolve

from booking_core.application.reserve_group import ReservationRequest
from booking_core.application.reserve_many import reserve_many
from booking_core.domain.booking import Booking
from booking_core.domain.values import SaleStatus, Seat, TicketedEvent
from tests.support.postgres.stage import Stage, open_store

SEATS: Final = 2000
BOOKED: Final = 300
# `everything_done_with` a hall reads it whole some six times.
ROWS_PER_SEAT: Final = 10
_ROWS_READ: Final = """
    SELECT sum(seq_tup_read + coalesce(idx_tup_fetch, 0))::bigint FROM pg_stat_user_tables
    WHERE schemaname = 'booking' AND relname IN ('seats', 'claims', 'bookings', 'events')
"""
_TABLES: Final = "booking.seats, booking.claims, booking.bookings, booking.events"


def never_analysed(stage: Stage) -> None:
    """The tables are as a migration leaves them."""


def analysed_when_empty(stage: Stage) -> None:
    """The server believes that there are no rows, as after a vacuum of new tables."""
    stage.door.execute("DELETE FROM booking.seats")
    stage.door.execute(f"VACUUM ANALYZE {_TABLES}")


def prepared_when_small(stage: Stage) -> None:
    """Every statement has its plan for a dozen rows, and keeps it."""
    stage.door.execute(f"VACUUM ANALYZE {_TABLES}")
    for _ in range(8):
        everything_done_with(stage, hall_of(12))


def analysed_when_full_of_others(stage: Stage) -> None:
    """The server knows many seats, all of another event."""
    put(stage, *hall_of(SEATS))
    stage.door.execute(f"ANALYZE {_TABLES}")


def believed_to_be_huge(stage: Stage) -> None:
    """The server takes a thousand million rows for real, of one event."""
    put(stage, *hall_of(SEATS))
    stage.door.execute(f"ANALYZE {_TABLES}")
    huge = "UPDATE pg_class SET reltuples = 1e9 WHERE oid IN ('booking.seats'::regclass, 'booking.claims'::regclass)"
    stage.door.execute(huge)


STATES: Final[Sequence[Callable[[Stage], None]]] = (
    never_analysed,
    analysed_when_empty,
    prepared_when_small,
    analysed_when_full_of_others,
    believed_to_be_huge,
)


@pytest.mark.parametrize("state", STATES, ids=lambda state: state.__name__)
def test_rows_read_are_in_proportion_to_the_seats(stage: Stage, state: Callable[[Stage], None]) -> None:
    stage.store.close()
    # One connection: its plans are those of all statements.
    stage.store = open_store(stage.url, 1)
    state(stage)
    before = rows_read(stage)

    everything_done_with(stage, hall_of(SEATS))

    assert rows_read(stage) - before < ROWS_PER_SEAT * SEATS


@pytest.mark.parametrize("state", STATES, ids=lambda state: state.__name__)
def test_rows_read_for_one_booking_of_a_full_hall(stage: Stage, state: Callable[[Stage], None]) -> None:
    """The status of one seat, and a chunk of the bookings of a cancelled event, cost the same in every hall."""
    stage.store.close()
    stage.store = open_store(stage.url, 1)
    state(stage)
    event, seats = hall_of(BOOKED)
    put(stage, event, seats)
    book(stage, event, seats)
    before = rows_read(stage)

    stage.store.reads.seat_statuses(event.event_id, [seats[7].seat_id])
    with stage.store.unit_of_work() as uow:
        assert len(uow.bookings.lock_live(event.event_id, 5)) == 5

    assert rows_read(stage) - before < 60


def everything_done_with(stage: Stage, hall: tuple[TicketedEvent, Sequence[Seat]]) -> None:
    """Put all seats, put them again, book some, show them twice, withdraw half, and wait for reservations in flight."""
    event, seats = hall
    put(stage, event, seats)
    assert put(stage, event, seats) == 0
    if len(seats) > BOOKED:
        book(stage, event, seats[:BOOKED])
    for _ in range(2):
        assert len(stage.store.reads.seats(event.event_id).seats) == len(seats)
    stage.store.reads.seat_statuses(event.event_id, [seat.seat_id for seat in seats[:10]])
    stage.store.await_reservations_in_flight(event.event_id)
    with stage.store.unit_of_work() as uow:
        kept = [seat.seat_id for seat in seats[::2]]
        assert uow.events.withdraw_seats(event.event_id, kept) == len(seats) - len(kept)
        uow.commit()


def hall_of(seats: int) -> tuple[TicketedEvent, Sequence[Seat]]:
    """An event that is not stored yet, and its seats, sorted by id."""
    ids = sorted(uuid4() for _ in range(seats))
    rows = [Seat(seat_id=each, row=str(n // 50), number=n % 50, price=Decimal(75)) for n, each in enumerate(ids)]
    starts_at = datetime(2031, 1, 1, tzinfo=UTC)
    event = TicketedEvent(event_id=uuid4(), name="Aida", starts_at=starts_at, status=SaleStatus.ON_SALE, currency="USD")
    return event, rows


def put(stage: Stage, event: TicketedEvent, seats: Sequence[Seat]) -> int:
    """Put the event and its seats in the chunks of a refresh; return how many seats were written."""
    written = 0
    for start in range(0, len(seats), 500):
        with stage.store.unit_of_work() as uow:
            uow.events.put(event, ages=False, complete=True)
            written += uow.events.put_seats(event.event_id, seats[start : start + 500])
            uow.commit()
    return written


def book(stage: Stage, event: TicketedEvent, seats: Sequence[Seat]) -> None:
    """Reserve each seat for a customer of its own."""
    commands = [evolve(stage.fixture.command(0), event_id=event.event_id) for _ in seats]
    requests = [
        ReservationRequest(command=evolve(command, user_id=str(seat.seat_id), seat_ids=(seat.seat_id,)))
        for command, seat in zip(commands, seats, strict=True)
    ]
    for start in range(0, len(requests), 50):
        outcomes = reserve_many(requests[start : start + 50], store=stage.store)
        assert {type(outcome) for outcome in outcomes} == {Booking}


def rows_read(stage: Stage) -> int:
    """The rows that the store's connection has read, which goes on with its plans."""
    with stage.store.engine.connect() as connection:
        connection.exec_driver_sql("SELECT pg_stat_force_next_flush()")
        connection.commit()
    return int(stage.ask(_ROWS_READ))
