"""Counts and ages for operators."""

from collections import Counter
from collections.abc import Iterable
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from booking_core.lifecycle import ON_HOLD, Status
from booking_core.payments import RefundStatus
from booking_core.ports import Backlogs, Statistics
from booking_core.ports.queries import CancellationPreview
from booking_memory.tables import Tables

_SOON: Final = timedelta(seconds=60)
"""A hold "ends soon" within the next pass of expiry (FR-14)."""
_PATIENCE: Final = timedelta(hours=1)
"""A refund is unanswered when it was asked for as long ago."""


def statistics_of(tables: Tables, now: datetime) -> Statistics:
    """Everything an operator watches, at `now`."""
    by_status = Counter(booking.as_of(now).status for booking in tables.bookings.values())
    return Statistics(by_status={status: by_status[status] for status in Status}, **_figures(tables, now))


def backlogs_of(tables: Tables, now: datetime) -> Backlogs:
    """What waits, at `now`."""
    return Backlogs(**_figures(tables, now))


def _figures(tables: Tables, now: datetime) -> dict[str, Any]:
    bookings = list(tables.bookings.values())
    overdue = [booking.deadline for booking in bookings if booking.is_overdue(now)]
    deadlines = [booking.deadline for booking in bookings if booking.status in ON_HOLD and booking.deadline]
    waiting = [row.record.recorded_at for row in tables.outbox.values() if row.published_at is None]
    payments = (payment for booking in bookings for payment in booking.payments.values())
    closures = [closure.cancelled_at for closure in tables.closures.values() if not closure.finished]
    refunds = [payment.refund_requested_at for payment in payments if payment.refund_status is RefundStatus.REQUESTED]
    return {
        "holds": sum(now < deadline for deadline in deadlines),
        "ending_soon": sum(now < deadline <= now + _SOON for deadline in deadlines),
        "overdue": len(overdue),
        "oldest_overdue_seconds": _oldest(overdue, now),
        "outbox": len(waiting),
        "oldest_outbox_seconds": _oldest(waiting, now),
        "unanswered_refunds": sum(at is not None and at <= now - _PATIENCE for at in refunds),
        "oldest_unanswered_refund_seconds": _oldest(refunds, now),
        "open_closures": len(closures),
        "oldest_open_closure_seconds": _oldest(closures, now),
    }


def preview_of(tables: Tables, event_id: UUID, now: datetime) -> CancellationPreview:
    """What cancelling the event at `now` would end and pay back; overdue holds are over already."""
    live = [each for each in tables.bookings_of_event(event_id) if each.is_live and not each.is_overdue(now)]
    refunds: dict[str, tuple[Decimal, int]] = {}
    for payment in (payment for booking in live for payment in booking.payments.values()):
        if payment.is_taken and payment.refund_reason is None and payment.currency:
            amount, number = refunds.get(payment.currency, (Decimal(0), 0))
            refunds[payment.currency] = amount + (payment.amount or Decimal(0)), number + 1
    return CancellationPreview(bookings=len(live), seats=sum(len(each.seats) for each in live), refunds=refunds)


def _oldest(moments: Iterable[datetime | None], now: datetime) -> float | None:
    ages = [(now - moment).total_seconds() for moment in moments if moment is not None]
    return max(ages, default=None)
