"""What one unit of work reads and writes. All of it happens in one transaction, or not at all."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Protocol
from uuid import UUID

from attrs import frozen

from booking_core.domain.booking import Booking
from booking_core.domain.events import EventCancelled
from booking_core.domain.reservation import IdempotencyKey, ReservationFacts, SeatRequest
from booking_core.domain.values import Seat, TicketedEvent


@frozen(kw_only=True)
class LockedBooking:
    """A booking under its lock, and what its verbs need: the database's clock, later than the lock, and of the event
    the start as our database knows it (None if the event is gone from it), and whether it was cancelled here."""

    booking: Booking
    now: datetime
    event_starts_at: datetime | None
    event_is_closed: bool


@frozen(kw_only=True)
class LockedSeats(ReservationFacts):
    """The facts of a reservation, and the overdue bookings that still hold wanted seats, locked.

    These are to be settled before the seats are claimed.
    """

    overdue: tuple[Booking, ...] = ()


@frozen(kw_only=True)
class ExpiryResult:
    """What one pass of expiry ended."""

    expired: int
    seats_released: int


@frozen(kw_only=True)
class Closure:
    """An event that was cancelled here. `finished` once `event.cancelled` is written."""

    event_id: UUID
    reason: str
    cancelled_at: datetime
    administrator: str
    correlation_id: str
    finished: bool


class BookingRepository(Protocol):
    """Bookings, with their seats, payments, history and events.

    One order of locks everywhere: idempotency key, user, bookings sorted by id, seats sorted by id. A wait for a lock
    is bounded and then raises ServiceBusy. Nothing is written before `UnitOfWork.commit`.
    """

    def lock_seats(self, request: SeatRequest) -> LockedSeats:
        """Lock what this reservation needs, and return the facts as they are once all locks are held.

        Locked are the idempotency key, the user, the overdue bookings that hold wanted seats, and the wanted seats. If
        a wanted seat has a live committed claim, or the key was answered before, locks may be left out: the
        reservation will not be made. A live claim that is overdue is never `taken`: its booking is in `overdue`.
        Raises IdempotencyKeyReused, IdempotencyInProgress, TransactionConflict (facts changed between two locks).
        """
        ...

    def lock(self, booking_id: UUID) -> LockedBooking | None:
        """Lock one booking and load it as it is under the lock; None if there is none."""
        ...

    def lock_several(self, booking_ids: Collection[UUID]) -> Mapping[UUID, LockedBooking]:
        """Lock and load these bookings, in order of id; those that do not exist are left out.

        Each is as it is once all of them are locked, and so is its `now`.
        """
        ...

    def lock_live(self, event_id: UUID, limit: int) -> Sequence[LockedBooking]:
        """Lock up to `limit` bookings of the event whose written status owns seats, sorted by id.

        Waits for those that others hold (bounded), so that an empty answer means that there is none left.
        """
        ...

    def add(self, booking: Booking, idempotency: IdempotencyKey | None = None, answer: str | None = None) -> None:
        """Write a new booking at commit: seats claimed, hold counted, events and history stored.

        With a key, `answer` is kept under it in the same transaction. At commit raises SeatAlreadyReserved (with the
        request's seats that are taken) if a live claim exists after all: the last line of BR-01.
        """
        ...

    def save(self, booking: Booking) -> None:
        """Write a changed booking at commit, compare-and-set on its revision.

        TransactionConflict, here or at commit, if somebody else changed it since it was loaded.
        Claims and the hold follow its status; new events and history are stored. Unchanged: nothing is written.
        """
        ...

    def expire_overdue(self, limit: int) -> ExpiryResult:
        """End up to `limit` overdue holds, in sets, with the same result as `Booking.expire` for each (US-04).

        Bookings that others have locked are left for the next pass; nobody waits. Zero means none is left or free.
        """
        ...


class EventRepository(Protocol):
    """Events and seats as the Catalog described them, and their closure by an administrator."""

    def put(self, event: TicketedEvent, *, ages: bool, complete: bool) -> None:
        """Insert or update the event, refreshed now. `ages`: it came from a Catalog and must be refreshed in time.

        `complete`: all of its seats are known now (never unset). An event that was closed here stays closed.
        """
        ...

    def put_if_unchanged(
        self, event: TicketedEvent, before: TicketedEvent | None, *, ages: bool, complete: bool
    ) -> bool:
        """`put`, if the event still has the currency and the status of `before`; None: if it is still unknown.

        Else nothing is written, and False. Waits (bounded) for whoever is putting the event at the same moment.
        """
        ...

    def lock(self, event_id: UUID) -> TicketedEvent | None:
        """Lock the event until the unit of work ends, and return it as it stands then; None if it is unknown.

        Whoever puts it waits meanwhile, reservations do not. In the one order of locks it comes after the seats.
        """
        ...

    def put_seats(self, event_id: UUID, seats: Sequence[Seat]) -> int:
        """Insert or update seats, sorted by id; writes only rows that changed and returns how many.

        Raises EventNotFound if the event was never put.
        """
        ...

    def withdraw_seats(self, event_id: UUID, known: Sequence[UUID]) -> int:
        """Withdraw the event's seats that are not in `known`: they cannot be reserved any more; bookings stay.

        Returns how many. A withdrawn seat that is put again is back.
        """
        ...

    def close(self, closure: Closure) -> Closure | None:
        """Close the event to new holds; the first closure stands and is returned. None if the event is unknown.

        `cancelled_at` of the closure given is replaced by the database's clock.
        """
        ...

    def await_reservations_in_flight(self, event_id: UUID, after: UUID | None, limit: int) -> UUID | None:
        """Wait (bounded) until nobody holds the next `limit` seats after that id; returns the last id, None at the end.

        Once a closure is committed and every seat was drained, each reservation in flight has ended or will see it.
        """
        ...

    def affected_bookings(self, event_id: UUID) -> int:
        """How many bookings have ended because the event was cancelled, those saved in this unit of work included."""
        ...

    def finish(self, event: EventCancelled) -> bool:
        """Store `event.cancelled` and mark the closure finished; False if it was already."""
        ...


class Inbox(Protocol):
    """Which inbound messages have been applied (FR-11, "check eventId before processing")."""

    def remember(self, messages: Sequence[tuple[UUID, UUID]]) -> Sequence[bool]:
        """Record these messages, each by the ids of its booking and of itself, in this transaction.

        For each, in the order given: False if it was recorded before, earlier in `messages` included. Call it under
        the locks of the bookings.
        """
        ...


class IdempotencyKeys(Protocol):
    """Answers kept under callers' keys, for operations other than reserving (which locks its own).

    An answer that is older than the store's hours is not given again, pruned or not.
    """

    def claim(self, key: IdempotencyKey) -> str | None:
        """Lock the key. The earlier answer if there is one, else None: this unit of work is the first.

        Raises IdempotencyKeyReused (other fingerprint), IdempotencyInProgress (still held after a bounded wait).
        """
        ...

    def keep(self, key: IdempotencyKey, answer: str) -> None:
        """Keep the answer, in this transaction."""
        ...
