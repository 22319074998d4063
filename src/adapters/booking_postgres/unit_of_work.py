"""The unit of work over PostgreSQL: reads under locks at once, writes together with the commit."""

from types import TracebackType
from typing import Self

from attrs import define, field

from booking_core.ports import BookingRepository, EventRepository, IdempotencyKeys, Inbox
from booking_postgres.batch import Rows, Statement, StatementFailed
from booking_postgres.bookings import PostgresBookings
from booking_postgres.events import PostgresEvents, translate_unknown_event
from booking_postgres.failures import translate
from booking_postgres.inbound import PostgresIdempotencyKeys, PostgresInbox
from booking_postgres.transaction import Transaction


@define(eq=False)
class PostgresUnitOfWork:
    """See `booking_core.ports.UnitOfWork`. `pending` is what the commit will write, in order."""

    transaction: Transaction
    idempotency_hours: float
    pending: list[Statement] = field(factory=list, init=False)
    _bookings: PostgresBookings = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._bookings = PostgresBookings(self)

    @property
    def bookings(self) -> BookingRepository:
        return self._bookings

    @property
    def events(self) -> EventRepository:
        return PostgresEvents(self)

    @property
    def inbox(self) -> Inbox:
        return PostgresInbox(self)

    @property
    def idempotency(self) -> IdempotencyKeys:
        return PostgresIdempotencyKeys(self, self.idempotency_hours)

    def __enter__(self) -> Self:
        self.transaction.begin()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.transaction.end()

    def run(self, statements: list[Statement], *, commit: bool = False) -> list[Rows]:
        """The rows of each statement, what is pending written before them. Raises the domain's errors."""
        before, self.pending = self.pending, []
        try:
            return self.transaction.run([*before, *statements], commit=commit)[len(before) :]
        except StatementFailed as failure:
            self._bookings.translate(failure)
            translate_unknown_event(failure)
            known = translate(failure.error)
            if known is None:
                raise failure.error from failure
            raise known from failure.error

    def flush(self) -> None:
        """Everything that has been saved so far is seen by the statements after this."""
        self._bookings.flush()

    def commit(self) -> None:
        self.flush()
        self.run([], commit=True)
