"""A bounded set whose members expire."""

from collections.abc import Hashable

from attrs import Factory, define, field

from booking_core.application.system_runtime import SYSTEM_RUNTIME
from booking_core.ports.runtime import Lock, Runtime


@define(eq=False)
class ExpiringSet:
    """Members expire `seconds` after they were last added; the oldest are removed early if there are more than `limit`.

    Safe to use from many threads.
    """

    seconds: float
    limit: int
    runtime: Runtime = SYSTEM_RUNTIME
    _until: dict[Hashable, float] = field(factory=dict, init=False)
    _lock: Lock = field(default=Factory(lambda self: self.runtime.lock(), takes_self=True), init=False)

    def add(self, member: Hashable) -> None:
        """Add the member, or start its time again."""
        with self._lock:
            self._until.pop(member, None)
            self._until[member] = self.runtime.monotonic() + self.seconds
            while len(self._until) > self.limit:
                self._until.pop(next(iter(self._until)))

    def discard(self, member: Hashable) -> None:
        """Remove the member if it is there."""
        with self._lock:
            self._until.pop(member, None)

    def __contains__(self, member: object) -> bool:
        with self._lock:
            until = self._until.get(member)
        return until is not None and self.runtime.monotonic() < until
