"""Waiting for reservations in flight: lock the seats of an event in chunks, each in a transaction of its own."""

from collections.abc import Callable
from typing import Final
from uuid import UUID

from booking_core.domain.identity import slot_of_event
from booking_postgres.driver.pipeline import Statement
from booking_postgres.writes.unit_of_work import PostgresUnitOfWork

_SEATS_PER_TRANSACTION: Final = 500
_LOCK_SEATS: Final = """
    SELECT seat_id FROM booking.seats
    WHERE slot = %(slot)s AND event_id = %(event_id)s AND (%(after)s::uuid IS NULL OR seat_id > %(after)s)
    ORDER BY seat_id LIMIT %(limit)s FOR UPDATE
"""


def await_reservations_in_flight(
    event_id: UUID, new_unit_of_work: Callable[[], PostgresUnitOfWork], *, seats: int = _SEATS_PER_TRANSACTION
) -> None:
    """See `booking_core.ports.Store`. A seat lock that is granted proves that an earlier holder has ended."""
    values = {"slot": slot_of_event(event_id), "event_id": event_id, "after": None, "limit": seats}
    while True:
        with new_unit_of_work() as uow:
            [rows] = uow.session.run([Statement(_LOCK_SEATS, values, "await seats")])
        if len(rows) < seats:
            return
        values = {**values, "after": rows[-1][0]}
