"""Row locks: each belongs to one unit of work until that ends, and nobody waits for ever."""

from collections.abc import Iterable
from threading import Condition
from typing import Final
from uuid import UUID

from booking_core.domain.errors import ServiceBusy
from booking_core.domain.reservation import IdempotencyKey

LockKey = tuple[str, *tuple[object, ...]]

DEFAULT_LOCK_WAIT: Final = 2.0
"""Seconds that one wait for one lock may take."""


def user_lock(user_id: str) -> LockKey:
    """The customer: who holds it alone counts and makes that customer's holds."""
    return ("user", user_id)


def booking_lock(booking_id: UUID) -> LockKey:
    """One booking."""
    return ("booking", booking_id)


def seat_lock(event_id: UUID, seat_id: UUID) -> LockKey:
    """One seat of one event."""
    return ("seat", event_id, seat_id)


def event_lock(event_id: UUID) -> LockKey:
    """The event's own row and its closure. Reserving does not take it."""
    return ("event", event_id)


def message_lock(booking_id: UUID, message_id: UUID) -> LockKey:
    """One row of the inbox."""
    return ("message", booking_id, message_id)


def answer_lock(key: IdempotencyKey) -> LockKey:
    """One idempotency key within its scope."""
    return ("answer", key.user_id, key.operation, key.key)


class Locks:
    """Who holds which lock. An owner is any object; it may take what it holds again."""

    def __init__(self) -> None:
        self._released = Condition()
        self._owners: dict[LockKey, object] = {}

    def take(self, owner: object, key: LockKey, wait: float) -> bool:
        """True once `owner` holds the lock; False if `wait` seconds were not enough."""
        with self._released:
            if not self._released.wait_for(lambda: self._owners.get(key, owner) is owner, wait):
                return False
            self._owners[key] = owner
            return True

    def release(self, keys: Iterable[LockKey]) -> None:
        """Let go of locks that the caller holds."""
        with self._released:
            for key in keys:
                del self._owners[key]
            self._released.notify_all()


class HeldLocks:
    """The locks of one unit of work, kept until it ends.

    The owner is the unit of work, not the thread: a second one in the same thread waits like anybody else, and gives
    up after the same bounded wait, so that nesting them is refused instead of hanging.
    """

    def __init__(self, locks: Locks, wait: float) -> None:
        self._locks = locks
        self._wait = wait
        self._held: set[LockKey] = set()
        self._has_ended = False

    def __contains__(self, key: LockKey) -> bool:
        return key in self._held

    def take(self, key: LockKey) -> None:
        """Hold the lock. Raises ServiceBusy if somebody else keeps it for longer than the bounded wait."""
        if not self.take_within(key, self._wait):
            raise ServiceBusy

    def take_if_free(self, key: LockKey) -> bool:
        """Hold the lock if nobody else does; never waits."""
        return self.take_within(key, 0)

    def take_within(self, key: LockKey, seconds: float) -> bool:
        """Hold the lock if it is to be had in time."""
        self.refuse_if_ended()
        if key not in self._held:
            if not self._locks.take(self, key, seconds):
                return False
            self._held.add(key)
        return True

    def wait_until_free(self, key: LockKey) -> None:
        """Wait until nobody else holds the lock, without keeping it. Raises ServiceBusy like `take`."""
        if key not in self._held:
            self.take(key)
            self._release({key})

    def release_all(self) -> None:
        """The unit of work has ended; it can do nothing any more."""
        self._has_ended = True
        self._release(set(self._held))

    def refuse_if_ended(self) -> None:
        """A program that goes on after the end would lose what it writes: raise RuntimeError."""
        if self._has_ended:
            raise RuntimeError("The unit of work has ended")

    def _release(self, keys: set[LockKey]) -> None:
        self._locks.release(keys)
        self._held -= keys
