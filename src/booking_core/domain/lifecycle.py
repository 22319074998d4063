"""The lifecycle of a booking: its statuses, what may happen to it, and the one table that says what follows.

The table is total: every status has an outcome for every trigger but two. RESERVE makes a booking out of nothing, and
REFUND_ANSWERED touches only a payment. `docs/lifecycle.md` is generated from it.
A hold past its deadline is settled by TIME before any other trigger is looked up (design, "Deadline").
"""

from collections.abc import Mapping
from enum import Enum
from types import MappingProxyType
from typing import Final

from attrs import frozen

from booking_core.domain.values import CancellationReason, RefundReason


class Status(Enum):
    """Where a booking stands."""

    PENDING = "PENDING"
    PROCESSING = "PROCESSING"
    CONFIRMED = "CONFIRMED"
    CANCELLED = "CANCELLED"


class Trigger(Enum):
    """What can happen to a booking."""

    RESERVE = "RESERVE"
    PAYMENT_PROCESSING = "PAYMENT_PROCESSING"
    PAYMENT_SUCCESS = "PAYMENT_SUCCESS"
    PAYMENT_FAILED = "PAYMENT_FAILED"
    CUSTOMER_CANCELS = "CUSTOMER_CANCELS"
    EXPIRY = "TIME"
    EVENT_CANCELLED = "EVENT_CANCELLED"
    REFUND_ANSWERED = "REFUND_ANSWERED"


@frozen
class Moves:
    """The booking changes its status."""

    to: Status
    reason: CancellationReason | None = None
    otherwise: "Refunds | Refuses | None" = None
    unless: str = ""


@frozen
class Stays:
    """Nothing changes: the trigger is acknowledged and has no effect."""


@frozen
class Refunds:
    """The booking stays as it is and the payment is asked back."""

    reason: RefundReason


@frozen
class Refuses:
    """The trigger is refused with the error of this code."""

    code: str


Outcome = Moves | Stays | Refunds | Refuses

_NOTHING: Final = Stays()
_CONFIRMS: Final = Moves(
    Status.CONFIRMED, otherwise=Refunds(RefundReason.AMOUNT_MISMATCH), unless="amount or currency differ"
)
_FAILS: Final = Moves(Status.CANCELLED, CancellationReason.PAYMENT_FAILED)
_EXPIRES: Final = Moves(Status.CANCELLED, CancellationReason.EXPIRED)
_EVENT_ENDS_IT: Final = Moves(Status.CANCELLED, CancellationReason.EVENT_CANCELLED)

_TABLE: Final[dict[Status, dict[Trigger, Outcome]]] = {
    Status.PENDING: {
        Trigger.PAYMENT_PROCESSING: Moves(Status.PROCESSING),
        Trigger.PAYMENT_SUCCESS: _CONFIRMS,
        Trigger.PAYMENT_FAILED: _FAILS,
        Trigger.CUSTOMER_CANCELS: Moves(Status.CANCELLED, CancellationReason.USER_CANCELLED),
        Trigger.EXPIRY: _EXPIRES,
        Trigger.EVENT_CANCELLED: _EVENT_ENDS_IT,
    },
    Status.PROCESSING: {
        Trigger.PAYMENT_PROCESSING: _NOTHING,
        Trigger.PAYMENT_SUCCESS: _CONFIRMS,
        Trigger.PAYMENT_FAILED: _FAILS,
        Trigger.CUSTOMER_CANCELS: Refuses("PAYMENT_IN_PROGRESS"),
        Trigger.EXPIRY: _EXPIRES,
        Trigger.EVENT_CANCELLED: _EVENT_ENDS_IT,
    },
    Status.CONFIRMED: {
        Trigger.PAYMENT_PROCESSING: _NOTHING,
        Trigger.PAYMENT_SUCCESS: Refunds(RefundReason.DUPLICATE_PAYMENT),
        Trigger.PAYMENT_FAILED: _NOTHING,
        Trigger.CUSTOMER_CANCELS: Moves(
            Status.CANCELLED,
            CancellationReason.USER_CANCELLED,
            otherwise=Refuses("BOOKING_NOT_CANCELLABLE"),
            unless="the event has started",
        ),
        Trigger.EXPIRY: _NOTHING,
        Trigger.EVENT_CANCELLED: _EVENT_ENDS_IT,
    },
    Status.CANCELLED: {
        Trigger.PAYMENT_PROCESSING: _NOTHING,
        Trigger.PAYMENT_SUCCESS: Refunds(RefundReason.LATE_PAYMENT),
        Trigger.PAYMENT_FAILED: _NOTHING,
        Trigger.CUSTOMER_CANCELS: Refuses("BOOKING_NOT_CANCELLABLE"),
        Trigger.EXPIRY: _NOTHING,
        Trigger.EVENT_CANCELLED: _NOTHING,
    },
}

TRANSITIONS: Final[Mapping[Status, Mapping[Trigger, Outcome]]] = MappingProxyType(
    {status: MappingProxyType(row) for status, row in _TABLE.items()}
)
"""What each trigger does in each status. A customer who cancels twice is answered with the booking
(see `Booking.cancel`)."""

ON_HOLD: Final = frozenset({Status.PENDING, Status.PROCESSING})
"""The statuses that time can end."""

LIVE: Final = ON_HOLD | {Status.CONFIRMED}
"""The statuses that own seats."""


def diagram() -> str:
    """The table as a Mermaid state diagram; only what changes the status is drawn."""
    lines = ["stateDiagram-v2", "    [*] --> PENDING: RESERVE"]
    for status, row in TRANSITIONS.items():
        for trigger, outcome in row.items():
            if isinstance(outcome, Moves):
                label = f"{trigger.value} ({outcome.reason.value})" if outcome.reason else trigger.value
                lines.append(f"    {status.value} --> {outcome.to.value}: {label}")
    return "\n".join([*lines, "    CANCELLED --> [*]", ""])
