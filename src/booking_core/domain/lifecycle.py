"""The lifecycle of a booking: one table of what follows when a trigger meets a status.

`Booking` executes the table: it has no rule of its own about statuses, reasons, refunds or published events. The
guards are functions of `policies`. `docs/lifecycle.md` and its picture are generated from the table.
A hold past its deadline meets EXPIRY before any other trigger (design, "Deadline").
"""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from enum import Enum
from types import MappingProxyType
from typing import Final

from attrs import frozen

from booking_core.domain.errors import BookingNotCancellable, PaymentInProgress, Refusal
from booking_core.domain.events import (
    BookingCancelled,
    BookingConfirmed,
    BookingCreated,
    BookingEvent,
    BookingExpired,
)
from booking_core.domain.payments import Payment, PaymentStatus
from booking_core.domain.policies import (
    Facts,
    amount_differs,
    answer_is_new,
    at_once,
    at_the_deadline,
    br_02_is_overdue,
    br_02_payment_window,
    br_02_processing_deadline,
    br_04_full_refund,
    customer_cancelled_before,
    event_has_started,
    every_payment_kept,
    operator_refunds,
    otherwise,
    payment_was_taken,
    this_payment,
)
from booking_core.domain.values import CancellationReason, RefundReason


class Status(Enum):
    """The state of a booking."""

    PENDING = "PENDING"
    PROCESSING = "PROCESSING"
    CONFIRMED = "CONFIRMED"
    CANCELLED = "CANCELLED"


class Trigger(Enum):
    """The triggers: everything that can happen to a booking."""

    RESERVE = "RESERVE"
    PAYMENT_PROCESSING = "PAYMENT_PROCESSING"
    PAYMENT_SUCCESS = "PAYMENT_SUCCESS"
    PAYMENT_FAILED = "PAYMENT_FAILED"
    CUSTOMER_CANCELS = "CUSTOMER_CANCELS"
    OPERATOR_CANCELS = "OPERATOR_CANCELS"
    OPERATOR_RELEASES = "OPERATOR_RELEASES"
    EXPIRY = "TIME"
    EVENT_CANCELLED = "EVENT_CANCELLED"
    REFUND_ANSWERED = "REFUND_ANSWERED"


@frozen
class Refund:
    """The payments to refund, and the reason."""

    reason: RefundReason
    payments: Callable[[Facts], Iterable[Payment]]


@frozen(kw_only=True)
class Becomes:
    """The booking changes its status at the moment `at`.

    `until` is the deadline of a hold. `payment` is how the trigger's payment is recorded. The events of `publishes` are
    published in that order, and `booking.refund_requested` for each refund after them.
    """

    to: Status
    reason: CancellationReason | None = None
    at: Callable[[Facts], datetime] = at_once
    until: Callable[[Facts], datetime] | None = None
    payment: PaymentStatus | None = None
    publishes: tuple[type[BookingEvent], ...] = ()
    refund: Refund | None = None


@frozen(kw_only=True)
class Stays:
    """The status stays, and the history records the trigger. The fields are those of `Becomes`."""

    payment: PaymentStatus | None = None
    refund: Refund | None = None


NOTHING: Final = None
"""The trigger is acknowledged and has no effect."""

Outcome = Becomes | Stays | type[Refusal] | None
Cases = tuple[tuple[Callable[[Facts], bool], Outcome], ...]


def _cancelled(
    reason: CancellationReason,
    *publishes: type[BookingEvent],
    at: Callable[[Facts], datetime] = at_once,
    payment: PaymentStatus | None = None,
    refund: Refund | None = None,
) -> Becomes:
    return Becomes(to=Status.CANCELLED, reason=reason, at=at, payment=payment, publishes=publishes, refund=refund)


def _refunded(reason: RefundReason) -> Stays:
    return Stays(payment=PaymentStatus.TAKEN, refund=Refund(reason, this_payment))


RESERVED: Final = Becomes(to=Status.PENDING, until=br_02_payment_window, publishes=(BookingCreated,))
_STARTED: Final = Becomes(to=Status.PROCESSING, until=br_02_processing_deadline, payment=PaymentStatus.PROCESSING)
_CONFIRMED: Final = Becomes(to=Status.CONFIRMED, payment=PaymentStatus.TAKEN, publishes=(BookingConfirmed,))
_FAILED: Final = _cancelled(CancellationReason.PAYMENT_FAILED, BookingCancelled, payment=PaymentStatus.FAILED)
_EXPIRED: Final = _cancelled(CancellationReason.EXPIRED, BookingExpired, BookingCancelled, at=at_the_deadline)
_GIVEN_BACK: Final = _cancelled(CancellationReason.USER_CANCELLED, BookingCancelled)
_GIVEN_BACK_WITH_REFUND: Final = _cancelled(
    CancellationReason.USER_CANCELLED,
    BookingCancelled,
    refund=Refund(RefundReason.USER_CANCELLED, every_payment_kept),
)
# Spec 6.4: no `booking.cancelled`, whose reasons are a closed set, and the 24 hours of BR-04 do not matter.
_EVENT_CANCELLED: Final = _cancelled(
    CancellationReason.EVENT_CANCELLED, refund=Refund(RefundReason.EVENT_CANCELLED, every_payment_kept)
)

_PAID: Final[Cases] = (
    (payment_was_taken, NOTHING),
    (amount_differs, _refunded(RefundReason.AMOUNT_MISMATCH)),
    (otherwise, _CONFIRMED),
)
_EXPIRES: Final[Cases] = ((br_02_is_overdue, _EXPIRED), (otherwise, NOTHING))
_CANCELLED_BEFORE: Final[Cases] = ((customer_cancelled_before, NOTHING), (otherwise, BookingNotCancellable))
_ANSWERED: Final[Cases] = ((answer_is_new, Stays()), (otherwise, NOTHING))

_TABLE: Final[dict[Status | None, dict[Trigger, Outcome | Cases]]] = {
    None: {Trigger.RESERVE: RESERVED},
    Status.PENDING: {
        Trigger.PAYMENT_PROCESSING: ((payment_was_taken, NOTHING), (otherwise, _STARTED)),
        Trigger.PAYMENT_SUCCESS: _PAID,
        Trigger.PAYMENT_FAILED: ((payment_was_taken, NOTHING), (otherwise, _FAILED)),
        Trigger.CUSTOMER_CANCELS: _GIVEN_BACK,
        Trigger.OPERATOR_CANCELS: _GIVEN_BACK,
        Trigger.OPERATOR_RELEASES: _GIVEN_BACK,
        Trigger.EXPIRY: _EXPIRES,
        Trigger.EVENT_CANCELLED: _EVENT_CANCELLED,
        Trigger.REFUND_ANSWERED: _ANSWERED,
    },
    Status.PROCESSING: {
        Trigger.PAYMENT_PROCESSING: NOTHING,
        Trigger.PAYMENT_SUCCESS: _PAID,
        Trigger.PAYMENT_FAILED: ((payment_was_taken, NOTHING), (otherwise, _FAILED)),
        Trigger.CUSTOMER_CANCELS: PaymentInProgress,
        Trigger.OPERATOR_CANCELS: PaymentInProgress,
        Trigger.OPERATOR_RELEASES: PaymentInProgress,
        Trigger.EXPIRY: _EXPIRES,
        Trigger.EVENT_CANCELLED: _EVENT_CANCELLED,
        Trigger.REFUND_ANSWERED: _ANSWERED,
    },
    Status.CONFIRMED: {
        Trigger.PAYMENT_PROCESSING: NOTHING,
        Trigger.PAYMENT_SUCCESS: (
            (payment_was_taken, NOTHING),
            (otherwise, _refunded(RefundReason.DUPLICATE_PAYMENT)),
        ),
        Trigger.PAYMENT_FAILED: NOTHING,
        Trigger.CUSTOMER_CANCELS: (
            (event_has_started, BookingNotCancellable),
            (br_04_full_refund, _GIVEN_BACK_WITH_REFUND),
            (otherwise, _GIVEN_BACK),
        ),
        Trigger.OPERATOR_CANCELS: ((operator_refunds, _GIVEN_BACK_WITH_REFUND), (otherwise, _GIVEN_BACK)),
        Trigger.OPERATOR_RELEASES: BookingNotCancellable,
        Trigger.EXPIRY: NOTHING,
        Trigger.EVENT_CANCELLED: _EVENT_CANCELLED,
        Trigger.REFUND_ANSWERED: _ANSWERED,
    },
    Status.CANCELLED: {
        Trigger.PAYMENT_PROCESSING: NOTHING,
        Trigger.PAYMENT_SUCCESS: ((payment_was_taken, NOTHING), (otherwise, _refunded(RefundReason.LATE_PAYMENT))),
        Trigger.PAYMENT_FAILED: NOTHING,
        Trigger.CUSTOMER_CANCELS: _CANCELLED_BEFORE,
        Trigger.OPERATOR_CANCELS: _CANCELLED_BEFORE,
        Trigger.OPERATOR_RELEASES: _CANCELLED_BEFORE,
        Trigger.EXPIRY: NOTHING,
        Trigger.EVENT_CANCELLED: NOTHING,
        Trigger.REFUND_ANSWERED: _ANSWERED,
    },
}

TRANSITIONS: Final[Mapping[Status | None, Mapping[Trigger, Outcome | Cases]]] = MappingProxyType(
    {status: MappingProxyType(row) for status, row in _TABLE.items()}
)
"""What each trigger does in each status: one outcome, or cases of which the first whose guard is true decides.

None is the status before the booking exists."""

ON_HOLD: Final = frozenset({Status.PENDING, Status.PROCESSING})
"""The statuses that EXPIRY can end."""

LIVE: Final = ON_HOLD | {Status.CONFIRMED}
"""The statuses that own seats."""
