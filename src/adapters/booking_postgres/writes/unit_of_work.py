"""The unit of work over PostgreSQL: reads under locks at once, writes together with the commit."""

from types import TracebackType
from typing import Final, Self

from attrs import define, field

from booking_core.messages.trace_context import TRACEPARENT
from booking_core.ports import BookingRepository, EventRepository, Inbox, StoredResponses
from booking_postgres.driver.pipeline import Statement
from booking_postgres.writes.bookings import PostgresBookings
from booking_postgres.writes.events import PostgresEvents
from booking_postgres.writes.idempotency import PostgresInbox, PostgresStoredResponses
from booking_postgres.writes.session import Session

# The outbox takes it from there, for the events that this transaction stores (migration 0003).
_SET_TRACE: Final = "SELECT set_config('booking.traceparent', %(trace)s, true)"


@define(eq=False)
class PostgresUnitOfWork:
    """See `booking_core.ports.UnitOfWork`."""

    session: Session
    _bookings: BookingRepository = field(init=False)
    _events: EventRepository = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._bookings = PostgresBookings(self.session)
        self._events = PostgresEvents(self.session)

    @property
    def bookings(self) -> BookingRepository:
        return self._bookings

    @property
    def events(self) -> EventRepository:
        return self._events

    @property
    def inbox(self) -> Inbox:
        return PostgresInbox(self.session)

    @property
    def responses(self) -> StoredResponses:
        return PostgresStoredResponses(self.session)

    def __enter__(self) -> Self:
        self.session.transaction.begin()
        trace = TRACEPARENT.get()
        if trace is not None:
            self.session.pending.append(Statement(_SET_TRACE, {"trace": trace}, "trace"))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.session.transaction.end()

    def commit(self) -> None:
        self.session.commit()
