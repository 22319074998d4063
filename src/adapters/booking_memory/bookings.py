"""Bookings within one transaction: locking, loading, writing, and ending what is overdue."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from attrs import evolve

from booking_core.booking import Booking
from booking_core.errors import TransactionConflict
from booking_core.idempotency import IdempotencyKey
from booking_core.ports import LockedBooking, LockedSeats, Sweep
from booking_core.reservation import SeatRequest
from booking_core.values import ActorKind, Cause
from booking_memory.answers import MemoryIdempotencyKeys
from booking_memory.locks import booking_lock, seat_lock, user_lock
from booking_memory.scenes import scene_of
from booking_memory.tables import copy_of
from booking_memory.transaction import Transaction

# The correlation is replaced by the booking's own (`Booking.expire`).
_SWEEPER: Final = Cause(actor=ActorKind.SWEEPER, actor_id="expiry", correlation_id="expiry")


class MemoryBookings:
    """`BookingRepository` within one transaction."""

    def __init__(self, transaction: Transaction, keys: MemoryIdempotencyKeys) -> None:
        self._transaction = transaction
        self._keys = keys

    def lock_seats(self, request: SeatRequest) -> LockedSeats:
        answer = self._keys.claim(request.idempotency) if request.idempotency else None
        seen = evolve(self._scene(request), earlier_answer=answer)
        if seen.taken or answer is not None:
            return seen
        locks = self._transaction.locks
        locks.take(user_lock(request.user_id))
        # Who holds the wanted seats is known only now: waiting for the user may have taken a while.
        for overdue in self._scene(request).overdue:
            locks.take(booking_lock(overdue.booking_id))
        for seat_id in request.seat_ids:
            locks.take(seat_lock(request.event_id, seat_id))
        scene = self._scene(request)
        if not scene.taken and any(booking_lock(holder.booking_id) not in locks for holder in scene.overdue):
            raise TransactionConflict
        return scene

    def lock(self, booking_id: UUID) -> LockedBooking | None:
        return self.lock_several([booking_id]).get(booking_id)

    def lock_several(self, booking_ids: Collection[UUID]) -> Mapping[UUID, LockedBooking]:
        for booking_id in sorted(set(booking_ids)):
            self._transaction.locks.take(booking_lock(booking_id))
        with self._transaction.looking() as now:
            found = {each: self._transaction.tables.bookings.get(each) for each in booking_ids}
            return {booking_id: self._locked(booking, now) for booking_id, booking in found.items() if booking}

    def lock_live(self, event_id: UUID, limit: int) -> Sequence[LockedBooking]:
        found: list[LockedBooking] = []
        while not found and (candidates := self._live(event_id)[:limit]):
            locked = (self.lock(booking_id) for booking_id in candidates)
            # Some may have ended while we waited; if all of them did, look for others.
            found = [each for each in locked if each is not None and each.booking.is_live]
        return found

    def add(self, booking: Booking, idempotency: IdempotencyKey | None = None, answer: str | None = None) -> None:
        self._transaction.write(booking)
        if idempotency is not None and answer is not None:
            self._keys.keep(idempotency, answer)

    def save(self, booking: Booking) -> None:
        if booking.new_history:
            self._transaction.write(booking)

    def expire_overdue(self, limit: int) -> Sweep:
        expired = seats = 0
        for booking in self._overdue_and_free():
            if expired >= limit:
                break
            with self._transaction.looking() as now:
                ended = booking.expire(now, _SWEEPER)
            if ended:
                self.save(booking)
                expired, seats = expired + 1, seats + len(booking.seats)
        return Sweep(expired=expired, seats_released=seats)

    def _locked(self, booking: Booking, now: datetime) -> LockedBooking:
        tables = self._transaction.tables
        event = tables.events.get(booking.event_id)
        return LockedBooking(
            booking=copy_of(booking),
            now=now,
            event_starts_at=event.event.starts_at if event else None,
            event_is_closed=booking.event_id in tables.closures,
        )

    def _scene(self, request: SeatRequest) -> LockedSeats:
        with self._transaction.looking() as now:
            return scene_of(self._transaction.tables, request, now)

    def _live(self, event_id: UUID) -> list[UUID]:
        with self._transaction.looking():
            live = self._transaction.tables.bookings_of_event(event_id)
            return sorted(booking.booking_id for booking in live if booking.is_live)

    def _overdue_and_free(self) -> Iterator[Booking]:
        """Copies, locked before they are loaded, the longest overdue first; those that others hold are passed over."""
        with self._transaction.looking() as now:
            bookings = self._transaction.tables.bookings.values()
            overdue = [(each.deadline or now, each.booking_id) for each in bookings if each.is_overdue(now)]
        for _, booking_id in sorted(overdue):
            if self._transaction.locks.take_if_free(booking_lock(booking_id)):
                locked = self.lock(booking_id)
                if locked is not None:
                    yield locked.booking
