"""Events and closures as rows, for writes and reads."""

from typing import Final

from booking_core.domain.values import SaleStatus, TicketedEvent
from booking_core.ports import Closure
from booking_postgres.driver.pipeline import Row

EVENT_COLUMNS: Final = "e.event_id, e.name, e.starts_at, e.sale_status, e.currency"
CLOSURE_COLUMNS: Final = "event_id, close_reason, closed_at, closed_by, close_correlation_id, finished_at IS NOT NULL"


def event_of(row: Row) -> TicketedEvent:
    """Build the event of a row that starts with EVENT_COLUMNS."""
    return TicketedEvent(event_id=row[0], name=row[1], starts_at=row[2], status=SaleStatus(row[3]), currency=row[4])


def closure_of(row: Row) -> Closure:
    """Build the closure of a row of CLOSURE_COLUMNS."""
    return Closure(
        event_id=row[0],
        reason=row[1],
        cancelled_at=row[2],
        administrator=row[3],
        correlation_id=row[4],
        finished=row[5],
    )
