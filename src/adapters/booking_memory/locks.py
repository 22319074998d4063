"""Row locks: each is held by one unit of work until it ends, and every wait is bounded."""

from collections.abc import Iterable
from threading import Condition
from typing import Final
from uuid import UUID

from booking_core.domain.errors import ServiceBusy
from booking_core.domain.reservation import IdempotencyKey

LockKey = tuple[str, *tuple[object, ...]]

DEFAULT_LOCK_WAIT: Final = 2.0
"""The longest wait for one lock, in seconds."""


def user_lock(user_id: str) -> LockKey:
    """The lock of a customer: held while the holds of that customer are counted and created."""
    return ("user", user_id)


def booking_lock(booking_id: UUID) -> LockKey:
    """The lock of one booking."""
    return ("booking", booking_id)


def seat_lock(event_id: UUID, seat_id: UUID) -> LockKey:
    """The lock of one seat of one event."""
    return ("seat", event_id, seat_id)


def event_lock(event_id: UUID) -> LockKey:
    """The lock of an event's row and its closure. Reserving does not take it."""
    return ("event", event_id)


def message_lock(message_id: UUID) -> LockKey:
    """The lock of one row of the inbox."""
    return ("message", message_id)


def response_lock(key: IdempotencyKey) -> LockKey:
    """The lock of one idempotency key within its scope."""
    return ("response", key.user_id, key.operation, key.key)


class Locks:
    """The locks and their owners. An owner is any object, and may take a lock again that it holds."""

    def __init__(self) -> None:
        self._released = Condition()
        self._owners: dict[LockKey, object] = {}

    def take(self, owner: object, key: LockKey, wait: float) -> bool:
        """Take the lock for `owner`; False if `wait` seconds were not enough."""
        with self._released:
            if not self._released.wait_for(lambda: self._owners.get(key, owner) is owner, wait):
                return False
            self._owners[key] = owner
            return True

    def release(self, keys: Iterable[LockKey]) -> None:
        """Release locks that the caller holds."""
        with self._released:
            for key in keys:
                del self._owners[key]
            self._released.notify_all()


class HeldLocks:
    """The locks of one unit of work, kept until it ends.

    The owner is the unit of work, not the thread: a nested unit of work in the same thread fails after the bounded wait
    instead of hanging.
    """

    def __init__(self, locks: Locks, wait: float) -> None:
        self._locks = locks
        self._wait = wait
        self._held: set[LockKey] = set()
        self._has_ended = False

    def __contains__(self, key: LockKey) -> bool:
        return key in self._held

    def take(self, key: LockKey) -> None:
        """Take the lock. Raises ServiceBusy if another owner holds it for the whole bounded wait."""
        if not self.take_within(key, self._wait):
            raise ServiceBusy

    def take_if_free(self, key: LockKey) -> bool:
        """Take the lock if it is free; never waits."""
        return self.take_within(key, 0)

    def take_within(self, key: LockKey, seconds: float) -> bool:
        """Take the lock; False if `seconds` were not enough."""
        self.refuse_if_ended()
        if key not in self._held:
            if not self._locks.take(self, key, seconds):
                return False
            self._held.add(key)
        return True

    def wait_until_free(self, key: LockKey) -> None:
        """Wait until no other owner holds the lock, and do not keep it. Raises ServiceBusy like `take`."""
        if key not in self._held:
            self.take(key)
            self._release({key})

    def release_all(self) -> None:
        """Release all locks: the unit of work has ended and must not be used again."""
        self._has_ended = True
        self._release(set(self._held))

    def refuse_if_ended(self) -> None:
        """Raise RuntimeError after the end of the unit of work: later writes would be lost."""
        if self._has_ended:
            raise RuntimeError("The unit of work has ended")

    def _release(self, keys: set[LockKey]) -> None:
        self._locks.release(keys)
        self._held -= keys
