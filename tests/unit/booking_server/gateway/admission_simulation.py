"""A service in virtual time in front of which admission control stands, and the clients that load it.

The event loop and the service share the interpreter: a rejection costs CPU, which makes a request that is served later.
So clients that retry at once slow the service down, as they do in reality.
"""

import heapq
from collections import deque
from collections.abc import Callable, Iterable
from itertools import count
from random import Random
from typing import Protocol

from attrs import define, field, frozen

from booking_server.gateway.admission_control import AdmissionControl, Client
from booking_server.gateway.admission_queue import AdmissionLimits

Respond = Callable[[bool], None]
"""What a client does with its response; the argument says whether the request was accepted."""
_CHECK_INTERVAL = AdmissionLimits().check_interval
_RETRY_DELAY = 0.001


class Service(Protocol):
    """What serves the requests."""

    @property
    def parallel(self) -> int:
        """Threads, or groups at a time."""
        ...

    @property
    def members(self) -> int:
        """Requests that are served together, at most."""
        ...

    @property
    def best(self) -> float:
        """Requests per second at best."""
        ...

    def seconds(self, members: int, rejecting: float, random: Random) -> float:
        """How long requests take that are served together, if rejections have used `rejecting` seconds of CPU."""
        ...


@frozen
class Threads:
    """Threads that compete for the interpreter: what one thread uses delays all of them."""

    parallel: int = 4
    mean: float = 0.02
    members: int = 1

    @property
    def best(self) -> float:
        return self.parallel / self.mean

    def seconds(self, members: int, rejecting: float, random: Random) -> float:
        return self.mean * random.uniform(0.5, 1.5) + rejecting * self.parallel


@frozen
class Groups:
    """One group at a time; half of its time is PostgreSQL's, during which the event loop is free to reject."""

    parallel: int = 1
    members: int = 32

    @property
    def best(self) -> float:
        return self.members / self.seconds(self.members, 0.0, Random(0))

    def seconds(self, members: int, rejecting: float, random: Random) -> float:
        return 0.01 + 0.0003 * members + rejecting / 2


@frozen
class Waiting:
    arrived: float
    client: Client
    respond: Respond


@define(eq=False)
class Simulation:
    """A queue, a service and its clients. `accepted` and `rejected` are moments and waits, in seconds."""

    service: Service
    control: AdmissionControl = field(factory=AdmissionControl)
    rejection_cpu: float = 100e-6
    timeout: float = AdmissionLimits().queue_timeout
    now: float = 0.0
    accepted: list[tuple[float, float]] = field(factory=list)
    rejected: list[tuple[float, float]] = field(factory=list)
    overloaded: list[float] = field(factory=list)
    _random: Random = field(factory=lambda: Random(1))
    _events: list[tuple[float, int, Callable[[], None]]] = field(factory=list)
    _numbers: "count[int]" = field(factory=count)
    _queue: deque[Waiting] = field(factory=deque)
    _running: int = 0
    _in_service: int = 0
    _rejecting: float = 0.0
    _loop_is_free_at: float = 0.0
    _paused_until: float = 0.0

    def __attrs_post_init__(self) -> None:
        self._check()

    def run(self, seconds: float) -> None:
        """Let time pass."""
        until, events = self.now + seconds, self._events
        while events[0][0] <= until:
            self.now, _, act = heapq.heappop(events)
            act()
        self.now = until

    def pause(self, seconds: float) -> None:
        """Let the service complete nothing for so long."""
        self._paused_until = self.now + seconds

    def closed_loop(self, clients: int, *, keeps_token: bool = True) -> None:
        """Start clients that send the next request after each response, and retry at once after a rejection.

        Those that do not keep their token have a new one for each request, on the same connection, as load generators.
        """
        for number in range(clients):
            self._after(self._random.random() * 0.01, self._client(number, keeps_token=keeps_token))

    def _client(self, number: int, *, keeps_token: bool) -> Callable[[], None]:
        def respond(_: bool) -> None:
            self._after(_RETRY_DELAY * self._random.uniform(0.5, 1.5), send)

        def send() -> None:
            token = f"token-{number}" if keeps_token else f"token-{next(self._numbers)}"
            self._arrive(Waiting(self.now, Client(token, f"connection-{number}"), respond))

        return send

    def open_loop(self, rate: float, *, returns: bool = False, until: float = float("inf")) -> None:
        """Let so many clients arrive each second; one that returns does so 1 s to 3 s after its rejection."""

        def arrive() -> None:
            if self.now > until:
                return
            name = str(next(self._numbers))
            client = Client(f"token-{name}", f"connection-{name}")

            def send() -> None:
                self._arrive(Waiting(self.now, client, respond))

            def respond(is_accepted: bool) -> None:
                if returns and not is_accepted:
                    self._after(self._random.uniform(1.0, 3.0), send)

            send()
            self._after(self._random.expovariate(rate), arrive)

        self._after(0.0, arrive)

    def burst(self, requests: int) -> None:
        """Let so many requests arrive at one moment."""
        for number in range(requests):
            self._arrive(Waiting(self.now, Client(f"burst-{number}", f"burst-{number}"), lambda _: None))

    def _after(self, seconds: float, act: Callable[[], None]) -> None:
        heapq.heappush(self._events, (self.now + seconds, next(self._numbers), act))

    def _arrive(self, waiting: Waiting) -> None:
        queue = self._queue
        if queue:
            oldest = self.now - queue[0].arrived
            ahead = len(queue) + self._in_service
            if not self.control.admits(self.now, ahead=ahead, oldest=oldest, client=waiting.client):
                self._reject(waiting)
                return
        queue.append(waiting)
        self._dispatch()

    def _reject(self, waiting: Waiting) -> None:
        self.control.rejected(self.now, waiting.client)
        self._rejecting += self.rejection_cpu
        # While the service runs it has the interpreter half of the time.
        seconds = self.rejection_cpu * (2 if self._running else 1)
        self._loop_is_free_at = max(self.now, self._loop_is_free_at) + seconds

        def respond() -> None:
            self.rejected.append((self.now, self.now - waiting.arrived))
            waiting.respond(False)

        self._after(self._loop_is_free_at - self.now, respond)

    def _reject_expired(self) -> None:
        while self._queue and self.now - self._queue[0].arrived > self.timeout:
            self._reject(self._queue.popleft())

    def _check(self) -> None:
        self._reject_expired()
        if self.control.is_overloaded:
            self.overloaded.append(self.now)
        self._after(_CHECK_INTERVAL, self._check)

    def _dispatch(self) -> None:
        while self._running < self.service.parallel:
            self._reject_expired()
            if not self._queue:
                return
            group = [self._queue.popleft() for _ in range(min(self.service.members, len(self._queue)))]
            seconds = self.service.seconds(len(group), self._rejecting, self._random)
            self._rejecting = 0.0
            self._running += 1
            self._in_service += len(group)
            self._after(max(0.0, self._paused_until - self.now) + seconds, self._completion(group))

    def _completion(self, group: list[Waiting]) -> Callable[[], None]:
        def complete() -> None:
            if self.now < self._paused_until:
                self._after(self._paused_until - self.now, complete)
                return
            self._running -= 1
            self._in_service -= len(group)
            self.control.completed(self.now, len(group), are_others_queued=bool(self._queue))
            for each in group:
                self.accepted.append((self.now, self.now - each.arrived))
                each.respond(True)
            self._dispatch()

        return complete


def waits_after(moment: float, responses: Iterable[tuple[float, float]]) -> list[float]:
    """The waits of the responses from this moment on."""
    return [wait for at, wait in responses if at >= moment]


def moments_after(moment: float, responses: Iterable[tuple[float, float]]) -> list[float]:
    """When the responses from this moment on were sent."""
    return [at for at, _ in responses if at >= moment]


def percentile(waits: Iterable[float], share: float) -> float:
    """The wait that this share of the waits does not exceed; 0 if there is none."""
    ordered = sorted(waits)
    return ordered[int(share * (len(ordered) - 1))] if ordered else 0.0
