"""The business rules, one pure function each: BR-01 to BR-04.

A rule that is a refusal returns the error or None. `RESERVATION_RULES` lists those of a reservation once, in the
order in which they are answered: the first refusal wins.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

from booking_core.domain.errors import (
    EventNotFound,
    EventNotOnSale,
    PendingLimitReached,
    Refusal,
    SeatAlreadyReserved,
    SeatNotFound,
    TooManySeats,
)
from booking_core.domain.lifecycle import ON_HOLD, Status
from booking_core.domain.reservation import ReservationFacts
from booking_core.domain.values import SaleStatus

MAX_SEATS: Final = 10
MAX_PENDING: Final = 3
FULL_REFUND_BEFORE: Final = timedelta(hours=24)


def br_01_no_double_booking(facts: ReservationFacts) -> Refusal | None:
    """BR-01: a seat with a live claim is refused, and the refusal names every such seat of this request."""
    return SeatAlreadyReserved.of(facts.taken) if facts.taken else None


def br_02_is_overdue(status: Status, deadline: datetime | None, now: datetime) -> bool:
    """BR-02: a hold is over at its deadline: "in time" is before it, and the deadline itself is too late."""
    return status in ON_HOLD and deadline is not None and now >= deadline


def br_02_processing_deadline(expires_at: datetime, started_at: datetime, timeout: timedelta) -> datetime:
    """BR-02, spec 6.2: a payment in progress has its own time, and never less than the customer was promised."""
    return max(expires_at, started_at + timeout)


def br_03_seat_limit(seats: int) -> Refusal | None:
    """BR-03, FR-07: at most ten seats in one booking."""
    return TooManySeats() if seats > MAX_SEATS else None


def br_03_pending_limit(facts: ReservationFacts) -> Refusal | None:
    """BR-03: at most three PENDING bookings of one customer whose deadline is ahead; PROCESSING does not count."""
    return PendingLimitReached() if facts.pending >= MAX_PENDING else None


def br_04_full_refund(starts_at: datetime, now: datetime) -> bool:
    """BR-04: the whole amount goes back if the event is more than 24 hours ahead; at exactly 24 hours nothing does."""
    return starts_at - now > FULL_REFUND_BEFORE


def event_exists(facts: ReservationFacts) -> Refusal | None:
    """The event is known to us."""
    return EventNotFound() if facts.event is None else None


def event_is_on_sale(facts: ReservationFacts) -> Refusal | None:
    """The event is neither cancelled (here or by the Catalog) nor a draft, and has not started."""
    event = facts.event
    if event is None or facts.closed or event.status is not SaleStatus.ON_SALE or event.starts_at <= facts.now:
        return EventNotOnSale()
    return None


def seats_exist(facts: ReservationFacts) -> Refusal | None:
    """Every wanted seat is one of the event's."""
    missing = facts.missing
    return SeatNotFound.of(missing) if missing else None


RESERVATION_RULES: Final[tuple[Callable[[ReservationFacts], Refusal | None], ...]] = (
    event_exists,
    event_is_on_sale,
    seats_exist,
    br_03_pending_limit,
    br_01_no_double_booking,
)


def refusal_of(facts: ReservationFacts) -> Refusal | None:
    """The first rule that says no, or None: the reservation may be made."""
    for rule in RESERVATION_RULES:
        if (refusal := rule(facts)) is not None:
            return refusal
    return None
