"""Bookings, seats and times for the tests of the domain: one hall, one customer, two seats at 75 USD.

Times are told as minutes after the reservation. The window of payment ends at 10; a payment in progress that began
at 7 has until 12.
"""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import UUID

from attrs import evolve

from booking_core.domain.booking import Booking
from booking_core.domain.lifecycle import TRANSITIONS, Cases, Outcome, Status, Trigger
from booking_core.domain.policies import Facts
from booking_core.domain.values import (
    ActorKind,
    CancellationReason,
    Cause,
    Money,
    SaleStatus,
    Seat,
    Terms,
    TicketedEvent,
)

RESERVED_AT = datetime(2026, 3, 1, 10, 0, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
TERMS = Terms()
USER = "auth0|ann"
EVENT_ID = UUID("018f2b6a-7c1d-7e3a-9b4c-5d6e7f809101")
SEAT_IDS = (UUID("00000000-0000-4000-8000-00000000000a"), UUID("00000000-0000-4000-8000-00000000000b"))

CUSTOMER = Cause(actor=ActorKind.CUSTOMER, actor_id=USER, correlation_id="corr-reserve")
AGAIN = Cause(actor=ActorKind.CUSTOMER, actor_id=USER, correlation_id="corr-cancel")
PAYMENT = Cause(actor=ActorKind.PAYMENT_EVENT, actor_id="message-1", correlation_id="corr-payment")
EXPIRY_JOB = Cause(actor=ActorKind.EXPIRY_JOB, actor_id="sweep-1", correlation_id="corr-sweep")
ADMIN = Cause(actor=ActorKind.ADMINISTRATOR, actor_id="auth0|root", correlation_id="corr-admin")


def at(minutes: float) -> datetime:
    return RESERVED_AT + timedelta(minutes=minutes)


STARTS_AT = at(0) + timedelta(days=40)


def usd(amount: str) -> Money:
    return Money(amount=Decimal(amount), currency="USD")


def event(
    *, starts_at: datetime = STARTS_AT, status: SaleStatus = SaleStatus.ON_SALE, currency: str = "USD"
) -> TicketedEvent:
    return TicketedEvent(event_id=EVENT_ID, name="A concert", starts_at=starts_at, status=status, currency=currency)


def seat(seat_id: UUID, price: str = "75.00", number: int = 1) -> Seat:
    return Seat(seat_id=seat_id, row="A", number=number, price=Decimal(price))


def seats_priced(*prices: Decimal) -> tuple[Seat, ...]:
    return tuple(Seat(seat_id=UUID(int=n), row="A", number=n, price=price) for n, price in enumerate(prices, 1))


SEATS = (seat(SEAT_IDS[0], number=1), seat(SEAT_IDS[1], number=2))


def loaded(booking: Booking) -> Booking:
    """The booking as a store hands it out: nothing new in it."""
    return evolve(booking, new_events=[], new_history=[])


def just_reserved(seats: tuple[Seat, ...] = SEATS, currency: str = "USD", terms: Terms = TERMS) -> Booking:
    return Booking.reserve(
        user_id=USER, event=event(currency=currency), seats=seats, now=at(0), terms=terms, cause=CUSTOMER
    )


def pending() -> Booking:
    return loaded(just_reserved())


def processing() -> Booking:
    """Of payment pay-1, begun at 7: until 12."""
    booking = just_reserved()
    booking.start_payment("pay-1", at(7), TERMS, PAYMENT)
    return loaded(booking)


def confirmed() -> Booking:
    """By payment pay-1, at 8."""
    booking = just_reserved()
    booking.confirm("pay-1", usd("150.00"), at(8), PAYMENT)
    return loaded(booking)


def cancelled(reason: CancellationReason) -> Booking:
    """Ended at 8 for the reason, or at its deadline."""
    booking = just_reserved()
    if reason is CancellationReason.USER_CANCELLED:
        booking.cancel(at(8), STARTS_AT, AGAIN)
    elif reason is CancellationReason.PAYMENT_FAILED:
        booking.fail_payment("pay-1", "card declined", at(8), PAYMENT)
    elif reason is CancellationReason.EVENT_CANCELLED:
        booking.cancel_for_event(at(8), ADMIN)
    else:
        booking.expire(at(10), EXPIRY_JOB)
    return loaded(booking)


def outcome_of(status: Status | None, trigger: Trigger, facts: Facts) -> Outcome:
    """What the table says of the trigger, refusals as their class."""
    cell = TRANSITIONS[status][trigger]
    return next(outcome for guard, outcome in cell if guard(facts)) if isinstance(cell, tuple) else cell


def outcomes_in(cell: Outcome | Cases) -> list[Outcome]:
    """Every outcome of one cell of the table."""
    return [outcome for _, outcome in cell] if isinstance(cell, tuple) else [cell]
