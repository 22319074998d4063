"""Requests that may start: their order, and the admission control over them."""

from collections import deque
from collections.abc import Iterator
from typing import Final

from attrs import define, field

from booking_server.gateway.admission_control import AdmissionControl, Client
from booking_server.gateway.coalescing import PendingRequest, Priority

# The oldest request starts in every eighth turn, so that a high priority delays a low one and does not starve it.
_OLDEST_EVERY: Final = 8


@define(eq=False)
class ReadyRequests:
    """Requests that may start, by priority and then in the order of arrival."""

    _by_priority: tuple[deque[PendingRequest], ...] = field(
        factory=lambda: tuple(deque() for _ in Priority), init=False
    )
    _turn: int = field(default=0, init=False)

    def __len__(self) -> int:
        return sum(map(len, self._by_priority))

    def append(self, pending: PendingRequest) -> None:
        """Add a request behind those of its priority."""
        self._by_priority[pending.priority].append(pending)

    def put_first(self, pending: PendingRequest) -> None:
        """Add a request that has waited already, before those of its priority."""
        self._by_priority[pending.priority].appendleft(pending)

    def take(self) -> PendingRequest:
        """Remove and return the request that starts next."""
        self._turn += 1
        waiting = [each for each in self._by_priority if each]
        first = min(waiting, key=_arrived) if self._turn % _OLDEST_EVERY == 0 else waiting[0]
        return first.popleft()

    def ahead_of(self, priority: Priority) -> tuple[int, float]:
        """How many requests start before a new one of this priority, and when the oldest of them has arrived."""
        waiting = [each for each in self._by_priority[: priority + 1] if each]
        return sum(map(len, waiting)), min(map(_arrived, waiting), default=float("inf"))

    def expired(self, arrived_before: float) -> Iterator[PendingRequest]:
        """Remove and return the requests that arrived before this moment."""
        for waiting in self._by_priority:
            while waiting and _arrived(waiting) < arrived_before:
                yield waiting.popleft()


def _arrived(waiting: deque[PendingRequest]) -> float:
    return waiting[0].request.arrived


@define(eq=False)
class ControlledQueue:
    """Requests that wait for one kind of service, threads or groups, and the admission control over them."""

    control: AdmissionControl
    ready: ReadyRequests = field(factory=ReadyRequests, init=False)
    running: int = field(default=0, init=False)
    """Requests that have started and not ended."""
    _is_contended: bool = field(default=False, init=False)
    """Whether requests were queued when the latest one completed: admission control measures from then on."""

    def accepts(self, now: float, pending: PendingRequest) -> bool:
        """Whether to admit a request. Without a queue the answer needs no admission control."""
        ahead, oldest = self.ready.ahead_of(pending.priority)
        if not ahead:
            return True
        client = client_of(pending)
        if self.control.admits(now, ahead=ahead + self.running, oldest=now - oldest, client=client):
            return True
        self.control.rejected(now, client)
        return False

    def completed(self, now: float, number: int = 1) -> None:
        """Record that requests have completed."""
        are_others_queued = bool(self.ready)
        if are_others_queued or self._is_contended:
            self.control.completed(now, number, are_others_queued=are_others_queued)
            self._is_contended = are_others_queued


def client_of(pending: PendingRequest) -> Client:
    """Whose request it is. HTTP/2 sends the requests of many clients over one connection at the same time."""
    scope = pending.scope
    connection = scope.client if scope.http_version.startswith("1") else ""
    return Client(pending.request.headers.get("authorization", ""), connection)
