"""Bookings within a unit of work: locking them and their seats, adding, saving, expiring."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol
from uuid import UUID

from attrs import frozen

from booking_core.domain.booking import Booking
from booking_core.domain.errors import IdempotencyKeyReused
from booking_core.domain.group import Deferral, MemberFacts
from booking_core.domain.reservation import IdempotencyKey, ReservationFacts, SeatRequest, StoredResponse


@frozen(kw_only=True)
class LockedBooking:
    """A booking under its lock, and the facts that its verbs need.

    `now` is the database's clock, read after the lock was held. `event_starts_at` is None if the event is unknown to
    the store; `event_is_closed` says whether the event was cancelled here.
    """

    booking: Booking
    now: datetime
    event_starts_at: datetime | None
    event_is_closed: bool


@frozen(kw_only=True)
class LockedSeats(ReservationFacts):
    """The facts of a reservation, and the overdue bookings, locked, that still hold wanted seats.

    The caller settles these bookings before it claims the seats.
    """

    overdue: tuple[Booking, ...] = ()


@frozen(kw_only=True)
class NewBooking:
    """A booking that a group inserts, with the response that is stored under its idempotency key, if it has one.

    `traceparent` is the trace that its events belong to; None: the trace of the unit of work.
    """

    booking: Booking
    key: IdempotencyKey | None = None
    response: str = ""
    traceparent: str | None = None


@frozen(kw_only=True)
class ExpiryResult:
    """The number of holds that one call expired, and of the seats that it released."""

    expired: int
    seats_released: int


class BookingRepository(Protocol):
    """Bookings with their seats, payments, history and events.

    Locks are taken in one order: user, bookings sorted by id, seats sorted by id; the idempotency key of a reservation
    is read and written under the user's lock. A wait for a lock is bounded; then ServiceBusy is raised. Nothing is
    written before `UnitOfWork.commit`.
    """

    def lock_seats(self, request: SeatRequest) -> LockedSeats | StoredResponse:
        """Lock what the reservation needs, and return the facts as they are once all locks are held.

        The user, the overdue bookings that hold wanted seats, and the wanted seats are locked. Locks may be left out if
        a wanted seat has a live committed claim, because the reservation is refused. A live claim that is overdue is
        never `taken`: its booking is in `overdue`. With an idempotency key, the key is then claimed exactly as
        `StoredResponses.claim` does; a response that is stored under it is returned instead of facts.
        Raises IdempotencyKeyReused, IdempotencyInProgress, TransactionConflict (facts changed between two locks).
        """
        ...

    def lock_group(
        self, requests: Sequence[SeatRequest]
    ) -> Sequence[MemberFacts | StoredResponse | IdempotencyKeyReused | Deferral]:
        """Lock what a group of reservations needs without waiting, and return what was found, in the order given.

        Locks the users, then the wanted seats of members whose user is locked; skips a lock that another unit of work
        holds. A user that the store has never seen may be waited for, 20 ms at most. Locks neither the user nor the
        seats of a member that wants a seat with a live claim, overdue or not. The facts are read after the last lock.

        A member that was skipped has `user_is_locked` False, or lacks seats: an absent seat is locked elsewhere or
        unknown, never proven to be absent. The response stored under a key, or IdempotencyKeyReused, is returned
        instead of facts. The keys are read last, so that a seat taken by the first request with the same key is never
        reported as taken without its response. A key that is visibly claimed without a response is
        Deferral.IDEMPOTENCY_KEY. No two requests have the same key; the user of a key is that of its request.
        Raises TransactionConflict or ServiceBusy for the group.
        """
        ...

    def add_group(self, bookings: Sequence[NewBooking]) -> None:
        """Insert new bookings at commit, each exactly as `add` does, and store the responses under their keys.

        The unit of work has locked what they need with `lock_group`. All are written or none. Raises, here or at
        commit, SeatAlreadyReserved without naming seats if any of them has a live claim (BR-01), TransactionConflict
        if a key has received a response meanwhile, and ServiceBusy if a key is claimed by another unit of work; each
        wait is 20 ms at most.
        """
        ...

    def lock(self, *booking_ids: UUID) -> Mapping[UUID, LockedBooking]:
        """Lock and load these bookings, in order of id; unknown ids are left out, repeated ids count once.

        Each booking, and its `now`, is as it is once all of them are locked.
        """
        ...

    def lock_live(self, event_id: UUID, limit: int) -> Sequence[LockedBooking]:
        """Lock up to `limit` bookings of the event that own seats, sorted by id; overdue holds are among them.

        The call waits (bounded) for bookings that another unit of work has locked, so an empty result proves that no
        live booking is left.
        """
        ...

    def add(self, booking: Booking) -> None:
        """Insert a new booking at commit: its seats claimed, its hold counted, its events and history stored.

        At commit raises SeatAlreadyReserved, with the taken ones of its seats, if a live claim exists (BR-01).
        """
        ...

    def save(self, booking: Booking) -> None:
        """Update a changed booking at commit, compare-and-set on its revision; an unchanged one writes nothing.

        Claims and hold follow the booking's status; new events and history are stored.
        Raises TransactionConflict, here or at commit, if the stored revision is not the one that was loaded.
        """
        ...

    def expire_overdue(self, limit: int) -> ExpiryResult:
        """Expire up to `limit` overdue holds, each with the result of `Booking.expire` (US-04).

        Never waits: bookings that another unit of work has locked are skipped. A result of zero means that every
        overdue hold is locked or that none is left.
        """
        ...
