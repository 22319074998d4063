"""The facts of a reservation, gathered from the tables as they are at one moment."""

from datetime import datetime
from uuid import UUID

from booking_core.booking import Booking
from booking_core.lifecycle import Status
from booking_core.ports import LockedSeats
from booking_core.reservation import SeatRequest
from booking_memory.tables import Tables, copy_of


def scene_of(tables: Tables, request: SeatRequest, now: datetime) -> LockedSeats:
    """What a reservation has to know. Whether its locks are held is the caller's business."""
    event = tables.events.get(request.event_id)
    closure = tables.closures.get(request.event_id)
    rows = ((seat_id, tables.seats.get((request.event_id, seat_id))) for seat_id in request.seat_ids)
    holders = holders_of(tables, request)
    return LockedSeats(
        now=now,
        event=event.event if event else None,
        closed=closure is not None,
        refreshed_at=event.refreshed_at if event and event.ages else None,
        wanted=request.seat_ids,
        seats={seat_id: row.seat for seat_id, row in rows if row is not None and not row.withdrawn},
        taken=frozenset(seat_id for seat_id, holder in holders.items() if not holder.is_overdue(now)),
        overdue=overdue_of(holders, now),
        pending=sum(_counts(booking, request.user_id, now) for booking in tables.bookings.values()),
    )


def holders_of(tables: Tables, request: SeatRequest) -> dict[UUID, Booking]:
    """The bookings that have claims on wanted seats, by seat; not copies."""
    claims = ((seat_id, tables.claims.get((request.event_id, seat_id))) for seat_id in request.seat_ids)
    return {seat_id: tables.bookings[holder] for seat_id, holder in claims if holder is not None}


def overdue_of(holders: dict[UUID, Booking], now: datetime) -> tuple[Booking, ...]:
    """Copies of the overdue ones among them, each once, sorted by id."""
    overdue = {holder.booking_id: holder for holder in holders.values() if holder.is_overdue(now)}
    return tuple(copy_of(overdue[booking_id]) for booking_id in sorted(overdue))


def _counts(booking: Booking, user_id: str, now: datetime) -> bool:
    # BR-03: a hold counts while its deadline is ahead; one whose payment is in progress does not.
    return booking.user_id == user_id and booking.status is Status.PENDING and not booking.is_overdue(now)
