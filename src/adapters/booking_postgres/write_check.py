"""A trial of whether bookings can be written: everything that a reservation writes, rolled back."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Final
from uuid import uuid4

from sqlalchemy import Engine

from booking_core.domain.booking import Booking
from booking_core.domain.errors import BookingError, TransactionConflict
from booking_core.domain.values import ActorKind, Cause, SaleStatus, Seat, Terms, TicketedEvent
from booking_core.ports import Health, HealthKind
from booking_postgres.driver.connection import Timeouts
from booking_postgres.driver.errors import LockWaitTooLong, NoRight
from booking_postgres.driver.transaction import OwnTransaction
from booking_postgres.driver.troubles import DatabaseTrouble
from booking_postgres.writes.bookings import PostgresBookings
from booking_postgres.writes.events import PostgresEvents
from booking_postgres.writes.stored_responses import PostgresStoredResponses

_NAME: Final = "trial of booking-core"


def check_writes(engine: Engine, timeouts: Timeouts) -> Health:
    """Write an event, a seat and a booking of it under new ids, and roll back. Bounded by the timeouts."""
    transaction = OwnTransaction(engine, timeouts)
    try:
        transaction.begin()
        try:
            _write(transaction)
        finally:
            transaction.end()
    except DatabaseTrouble as trouble:
        return Health(kind=trouble.kind, problem=trouble.problem, remedy=trouble.remedy)
    except NoRight as error:
        return Health(kind=HealthKind.FORBIDDEN, problem=error.problem, remedy=error.remedy)
    except (LockWaitTooLong, TransactionConflict):
        return Health()  # what waits for others, as a migration makes it wait, can be written later
    except BookingError as error:
        remedy = "check BOOKING_DATABASE_URL and that PostgreSQL runs"
        return Health(kind=HealthKind.UNREACHABLE, problem=str(error), remedy=remedy)
    return Health()


def _write(transaction: OwnTransaction) -> None:
    now = datetime.now(UTC)
    event = TicketedEvent(
        event_id=uuid4(), name=_NAME, starts_at=now + timedelta(days=1), status=SaleStatus.DRAFT, currency="USD"
    )
    seat = Seat(seat_id=uuid4(), row="A", number=1, price=Decimal(1))
    user_id = f"{_NAME} {uuid4()}"
    cause = Cause(actor=ActorKind.CUSTOMER, actor_id=_NAME, correlation_id=str(event.event_id))
    booking = Booking.reserve(user_id=user_id, event=event, seats=(seat,), now=now, terms=Terms(), cause=cause)
    events = PostgresEvents(transaction)
    events.put(event, ages=False, complete=False)
    events.put_seats(event.event_id, [seat])
    PostgresBookings(transaction, PostgresStoredResponses(transaction, 1.0)).add(booking)
    transaction.flush()
    transaction.run([])
