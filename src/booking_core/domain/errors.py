"""Typed refusals and failures. Each that a customer can receive has a stable `code` (design, section 5)."""

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar
from uuid import UUID


class BookingError(Exception):
    """The base of every error that this library raises on purpose.

    `code` is stable and machine-readable, `str(error)` is a sentence for people, `details` is JSON-ready.
    """

    code: ClassVar[str] = "INTERNAL_ERROR"
    message: ClassVar[str] = "Something went wrong"

    def __init__(self, message: str | None = None, details: Mapping[str, Any] | None = None) -> None:
        super().__init__(message or self.message)
        self.details: Mapping[str, Any] = details or {}


class InvalidValue(BookingError, ValueError):
    """An impossible value: wrong type, range or form. `details.fields` names the field and the problem."""

    code = "VALIDATION_FAILED"

    def __init__(self, field: str, problem: str) -> None:
        super().__init__(f"{field} {problem}", {"fields": [{"field": field, "problem": problem}]})
        self.field, self.problem = field, problem

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.field, self.problem)


class Refusal(BookingError):
    """A business rule refuses the command. Nothing has changed; a repeat is refused too until the facts change."""


class TooManySeats(Refusal):
    """BR-03, FR-07: more than ten seats in one booking."""

    code = "TOO_MANY_SEATS"
    message = "A booking holds at most 10 seats"


class EventNotFound(Refusal):
    """Neither we nor the Catalog know the event."""

    code = "EVENT_NOT_FOUND"
    message = "There is no such event"


class EventNotOnSale(Refusal):
    """The event is cancelled, a draft, or has started."""

    code = "EVENT_NOT_ON_SALE"
    message = "The event is not on sale"


class SeatNotFound(Refusal):
    """Some of the seats do not exist in this event; `details.seatIds` lists them all."""

    code = "SEAT_NOT_FOUND"
    message = "One or more seats do not exist in this event"

    @classmethod
    def of(cls, seat_ids: Iterable[UUID]) -> "SeatNotFound":
        return cls(details={"seatIds": sorted(map(str, seat_ids))})


class PendingLimitReached(Refusal):
    """BR-03: the customer has three bookings waiting for payment."""

    code = "PENDING_LIMIT_REACHED"
    message = "You already have 3 bookings waiting for payment"


class SeatAlreadyReserved(Refusal):
    """BR-01: some of the seats belong to another live booking; `details.unavailableSeatIds` lists them all."""

    code = "SEAT_ALREADY_RESERVED"
    message = "One or more seats are already reserved"

    @classmethod
    def of(cls, seat_ids: Iterable[UUID]) -> "SeatAlreadyReserved":
        return cls(details={"unavailableSeatIds": sorted(map(str, seat_ids))})


class BookingNotFound(Refusal):
    """There is no such booking, or another customer owns it: the answer is the same."""

    code = "BOOKING_NOT_FOUND"
    message = "There is no such booking"


class TicketNotAvailable(Refusal):
    """Only a confirmed booking has a ticket; `details.status` is the status of this booking."""

    code = "TICKET_NOT_AVAILABLE"
    message = "Only a confirmed booking has a ticket"


class PaymentInProgress(Refusal):
    """A booking whose payment is being processed cannot be cancelled."""

    code = "PAYMENT_IN_PROGRESS"
    message = "The payment of this booking is in progress"


class BookingNotCancellable(Refusal):
    """The booking has ended already, or its event has started (BR-04)."""

    code = "BOOKING_NOT_CANCELLABLE"
    message = "This booking can no longer be cancelled"


class CustomerHasLiveBooking(BookingError):
    """The user has a hold, or a confirmed booking of an event to come, and cannot be forgotten; for operators."""

    code = "CUSTOMER_HAS_LIVE_BOOKING"
    message = "The user has a live booking: cancel it first, or wait for its end"


class IdempotencyKeyReused(Refusal):
    """The key was used with another request."""

    code = "IDEMPOTENCY_KEY_REUSED"
    message = "This Idempotency-Key was used with another request"


class Failure(BookingError):
    """Something is busy, unreachable or broken, and a later attempt may succeed.

    Nothing has changed, unless it is CommitOutcomeUnknown.
    """

    retry_after: ClassVar[int] = 1
    """Whole seconds after which to try again."""


class IdempotencyInProgress(Failure):
    """The first request with this key is still running."""

    code = "IDEMPOTENCY_IN_PROGRESS"
    message = "The first request with this Idempotency-Key is still being answered"


class ServiceBusy(Failure):
    """A lock, a connection or the database was not available in time."""

    code = "SERVICE_BUSY"
    message = "The service is busy, please try again"


class CatalogUnavailable(Failure):
    """The Catalog is needed for this answer, and it cannot be reached or its answer is invalid."""

    code = "CATALOG_UNAVAILABLE"
    message = "The catalog cannot be reached, please try again"
    retry_after = 5


class TransactionConflict(ServiceBusy):
    """The database aborted this transaction (serialization, deadlock): the whole of it may be run again."""


class CommitOutcomeUnknown(ServiceBusy):
    """The connection broke while committing: the change is either wholly there or not at all."""


class WrongIsolationLevel(BookingError):
    """The caller's connection is not at READ COMMITTED, which the locking rules need."""

    code = "WRONG_ISOLATION_LEVEL"
    message = "The unit of work needs a connection at READ COMMITTED"


class BusUnavailable(Failure):
    """The event bus did not accept or deliver messages in time; which of a batch it accepted is unknown."""

    code = "BUS_UNAVAILABLE"
    message = "The event bus cannot be reached"


class MalformedMessage(BookingError):
    """An inbound message that can never be applied: it belongs to the dead letters."""

    code = "MALFORMED_MESSAGE"
    message = "The message cannot be understood"


class EventIdReused(BookingError):
    """The `eventId` of an inbound message names another message that came first: it belongs to the dead letters."""

    code = "EVENT_ID_REUSED"
    message = "The eventId was used before for another booking, payment or type"
