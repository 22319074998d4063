"""A bounded memory of things that stop being true by themselves."""

from collections.abc import Hashable

from attrs import Factory, define, field

from booking_core.application.system_runtime import SYSTEM_RUNTIME
from booking_core.ports.runtime import Lock, Runtime


@define(eq=False)
class ExpiringSet:
    """Members leave `seconds` after they were last added; the oldest leave early when there are more than `limit`.

    Measured on a clock that never jumps. Safe to use from many threads.
    """

    seconds: float
    limit: int
    runtime: Runtime = SYSTEM_RUNTIME
    _until: dict[Hashable, float] = field(factory=dict, init=False)
    _lock: Lock = field(default=Factory(lambda self: self.runtime.lock(), takes_self=True), init=False)

    def add(self, member: Hashable) -> None:
        """Put it in, from now."""
        with self._lock:
            self._until.pop(member, None)
            self._until[member] = self.runtime.monotonic() + self.seconds
            while len(self._until) > self.limit:
                self._until.pop(next(iter(self._until)))

    def discard(self, member: Hashable) -> None:
        """Take it out, if it is in."""
        with self._lock:
            self._until.pop(member, None)

    def __contains__(self, member: object) -> bool:
        with self._lock:
            until = self._until.get(member)
        return until is not None and self.runtime.monotonic() < until
