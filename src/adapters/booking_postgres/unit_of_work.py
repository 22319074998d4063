"""The unit of work over PostgreSQL: reads under locks at once, writes together with the commit."""

from types import TracebackType
from typing import Self

from attrs import define, field

from booking_core.ports import BookingRepository, EventRepository, IdempotencyKeys, Inbox
from booking_postgres.bookings import PostgresBookings
from booking_postgres.events import PostgresEvents
from booking_postgres.inbound import PostgresIdempotencyKeys, PostgresInbox
from booking_postgres.session import Session


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
    def idempotency(self) -> IdempotencyKeys:
        return PostgresIdempotencyKeys(self.session)

    def __enter__(self) -> Self:
        self.session.transaction.begin()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.session.transaction.end()

    def commit(self) -> None:
        self.session.commit()
