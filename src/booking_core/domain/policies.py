"""The business rules, one pure function each: BR-01 to BR-04.

`RESERVATION_RULES` lists the rules of a reservation in the order in which they refuse. The other functions are the
guards, deadlines and refunds that the table in `lifecycle` refers to. A rule that refuses returns the error, or None.
"""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Final
from uuid import UUID

from attrs import frozen

from booking_core.domain.errors import (
    EventNotFound,
    EventNotOnSale,
    PendingLimitReached,
    Refusal,
    SeatAlreadyReserved,
    SeatNotFound,
    TooManySeats,
)
from booking_core.domain.payments import Payment, PaymentStatus, RefundStatus
from booking_core.domain.reservation import ReservationFacts
from booking_core.domain.values import CancellationReason, Money, RefundChoice, SaleStatus, Terms

MAX_SEATS: Final = 10  # BR-03
MAX_PENDING: Final = 3  # BR-03
FULL_REFUND_BEFORE: Final = timedelta(hours=24)  # BR-04
_TERMS: Final = Terms()


# -- may this reservation be made? ------------------------------------------------------------------------------------


def event_exists(facts: ReservationFacts) -> Refusal | None:
    """Refuse an event that is unknown."""
    return EventNotFound() if facts.event is None else None


def event_is_on_sale(facts: ReservationFacts) -> Refusal | None:
    """Refuse an event that is cancelled (here or by the Catalog), is a draft, or has started."""
    event = facts.event
    if event is None or facts.closed or event.status is not SaleStatus.ON_SALE or event.starts_at <= facts.now:
        return EventNotOnSale()
    return None


def seats_exist(facts: ReservationFacts) -> Refusal | None:
    """Refuse seats that do not belong to the event."""
    missing = missing_seats(facts)
    return SeatNotFound.of(missing) if missing else None


def br_03_pending_limit(facts: ReservationFacts) -> Refusal | None:
    """BR-03: refuse a fourth PENDING booking with a deadline ahead; PROCESSING does not count."""
    return PendingLimitReached() if facts.pending >= MAX_PENDING else None


def br_01_no_double_booking(facts: ReservationFacts) -> Refusal | None:
    """BR-01: refuse seats that have a live claim, naming every such seat of the request."""
    return SeatAlreadyReserved.of(facts.taken) if facts.taken else None


RESERVATION_RULES: Final[tuple[Callable[[ReservationFacts], Refusal | None], ...]] = (
    event_exists,
    event_is_on_sale,
    seats_exist,
    br_03_pending_limit,
    br_01_no_double_booking,
)


def refusal_of(facts: ReservationFacts) -> Refusal | None:
    """The error of the first rule that refuses, or None if the reservation may be made."""
    for rule in RESERVATION_RULES:
        if (refusal := rule(facts)) is not None:
            return refusal
    return None


def br_03_seat_limit(seats: int) -> Refusal | None:
    """BR-03, FR-07: refuse more than ten seats. Decided before any facts are read."""
    return TooManySeats() if seats > MAX_SEATS else None


def missing_seats(facts: ReservationFacts) -> list[UUID]:
    """The requested seats that are not known, in the order of the request."""
    known = facts.seats.keys() if facts.known is None else facts.known
    return [seat_id for seat_id in facts.wanted if seat_id not in known]


# -- what may happen to a booking? ------------------------------------------------------------------------------------


@frozen(kw_only=True)
class Facts:
    """The facts by which rules decide when a trigger meets a booking; those that do not matter are absent.

    `now` is the database's clock, read under the booking's lock. `payment_id` names the payment of the trigger, `paid`
    is its money, and `answer` is the outcome of its refund. `event_starts_at` is None if the event is unknown.
    """

    now: datetime
    terms: Terms = _TERMS
    deadline: datetime | None = None
    cancelled_for: CancellationReason | None = None
    event_starts_at: datetime | None = None
    total: Money | None = None
    paid: Money | None = None
    payment_id: str | None = None
    payments: Mapping[str, Payment] = MappingProxyType({})
    answer: RefundStatus | None = None
    refund: RefundChoice = RefundChoice.POLICY


def otherwise(facts: Facts) -> bool:
    """Always true: the last case of every guarded transition."""
    return True


def br_02_is_overdue(facts: Facts) -> bool:
    """BR-02: a hold is over at its deadline. "In time" is before the deadline; the deadline itself is too late."""
    return facts.deadline is not None and facts.now >= facts.deadline


def br_02_payment_window(facts: Facts) -> datetime:
    """BR-02: a PENDING booking is held until the end of the payment window."""
    return facts.now + facts.terms.payment_window


def br_02_processing_deadline(facts: Facts) -> datetime:
    """BR-02, spec 6.2: a payment in progress has its own time, which never ends before the payment window."""
    own = facts.now + facts.terms.processing_timeout
    return own if facts.deadline is None else max(facts.deadline, own)


def at_once(facts: Facts) -> datetime:
    """The time of a change that takes effect at once."""
    return facts.now


def at_the_deadline(facts: Facts) -> datetime:
    """The time of a change that took effect at the deadline, even if it is written later."""
    return facts.deadline or facts.now


def payment_was_taken(facts: Facts) -> bool:
    """FR-11: a payment is taken once; what is reported of it afterwards changes nothing."""
    payment = facts.payments.get(facts.payment_id or "")
    return payment is not None and payment.status is PaymentStatus.TAKEN


def amount_differs(facts: Facts) -> bool:
    """Whether the amount or the currency of the payment is not that of the booking."""
    return facts.paid != facts.total


def event_has_started(facts: Facts) -> bool:
    """BR-04: nothing is cancelled after the start. An unknown event counts as started."""
    return facts.event_starts_at is None or facts.event_starts_at <= facts.now


def br_04_full_refund(facts: Facts) -> bool:
    """BR-04: refund the full amount if the event starts in more than 24 hours; at exactly 24 hours, refund nothing."""
    return facts.event_starts_at is not None and facts.event_starts_at - facts.now > FULL_REFUND_BEFORE


def operator_refunds(facts: Facts) -> bool:
    """Whether an operator who cancels the booking refunds its payments: as chosen, by default as BR-04 says."""
    return facts.refund is RefundChoice.FULL or (facts.refund is RefundChoice.POLICY and br_04_full_refund(facts))


def customer_cancelled_before(facts: Facts) -> bool:
    """Whether the customer has cancelled the booking already: repeating it changes nothing."""
    return facts.cancelled_for is CancellationReason.USER_CANCELLED


def answer_is_new(facts: Facts) -> bool:
    """Whether a refund was requested and is not final: COMPLETED is final, FAILED may become COMPLETED."""
    payment = facts.payments.get(facts.payment_id or "")
    if payment is None or facts.answer is RefundStatus.REQUESTED:
        return False
    return payment.refund_status not in (None, RefundStatus.COMPLETED, facts.answer)


def this_payment(facts: Facts) -> Iterable[Payment]:
    """Refund the payment of the trigger, which cannot be honoured."""
    return (facts.payments[facts.payment_id or ""],)


def every_payment_kept(facts: Facts) -> Iterable[Payment]:
    """Refund every payment that was taken and for which no refund was requested before."""
    return [each for each in facts.payments.values() if each.is_taken and each.refund_reason is None]
