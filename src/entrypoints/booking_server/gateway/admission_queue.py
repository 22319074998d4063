"""Admission queue: decides which request runs next, which one waits and which one is rejected (ADR 0016).

Runs on the event loop; only the tasks of the thread pool run elsewhere.
"""

from asyncio import AbstractEventLoop, Future
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from queue import SimpleQueue
from typing import Final, TypeVar

import structlog
from attrs import define, field, frozen

from booking_api.gateway_responses import GatewayRequest, GatewayResponse, GatewayResponses
from booking_core.ports import Runtime
from booking_server.gateway.coalescing import Coalescer, FollowerDecision, PendingRequest
from booking_server.gateway.follower_notification import FollowerNotifier, Handler, NotificationLimits

_log = structlog.get_logger(__name__)

T = TypeVar("T")

# Weight of the latest interval in the moving average, which thus covers some 20 requests.
_WEIGHT: Final = 0.05
# Requests before the first estimate: a process that has just started opens connections and fetches keys.
_WARM_UP: Final = 50
# Seconds. A longer interval is a pause of the machine and says nothing about the next requests.
_LONGEST_INTERVAL: Final = 0.1
# Tasks in the pool beyond one for each thread, so that a thread that is done need not wait for the event loop.
_PREFETCH: Final = 1


@define(eq=False)
class ThreadPool:
    """`size` threads that run tasks in the order of submission, until the process ends.

    They are daemons: a task that is stuck does not keep the process alive, as one of `concurrent.futures` would.
    """

    runtime: Runtime
    name: str
    size: int
    _tasks: "SimpleQueue[Callable[[], None]]" = field(factory=SimpleQueue, init=False)

    def start(self) -> None:
        """Start the threads."""
        for number in range(self.size):
            self.runtime.start_thread(self._run, f"{self.name}-{number + 1}")

    def submit(self, task: Callable[[], None]) -> None:
        """Run a task that raises nothing on the next free thread."""
        self._tasks.put(task)

    def call(self, loop: AbstractEventLoop, work: Callable[[], T], finish: Callable[[T], object]) -> None:
        """Run `work`, which raises nothing, on a thread, and `finish` with its result on the event loop."""

        def task() -> None:
            result = work()
            # The loop is closed after a shutdown that did not wait for this task.
            with suppress(RuntimeError):
                loop.call_soon_threadsafe(finish, result)

        self.submit(task)

    def _run(self) -> None:
        while True:
            self._tasks.get()()


@define(eq=False)
class ServiceRateEstimator:
    """Estimates how long a queued request will wait. Measures while requests are queued: an idle pool has no rate."""

    runtime: Runtime
    _interval: float = field(default=0.0, init=False)
    _last: float | None = field(default=None, init=False)
    _measured: int = field(default=0, init=False)

    def completed(self, *, are_others_queued: bool) -> None:
        """Record that a request has completed."""
        now = self.runtime.monotonic()
        if self._last is not None:
            self._measured += 1
            self._interval += (min(now - self._last, _LONGEST_INTERVAL) - self._interval) * _WEIGHT
        self._last = now if are_others_queued else None

    def estimated_wait(self, queued: int) -> float:
        """Seconds until so many requests have completed; 0 without an estimate."""
        return queued * self._interval if self._last is not None and self._measured >= _WARM_UP else 0.0


@frozen(kw_only=True)
class AdmissionLimits:
    """The limits of the queue, in seconds, and those of follower notification."""

    longest_estimated_wait: float = 0.2
    """Reject a request whose estimated wait exceeds this: less than half of the 0.5 s that a response may take."""
    queue_timeout: float = 0.4
    """Reject a request that has not started at this age: a response after 0.5 s is late (NFR-01)."""
    follower_timeout: float = 1.0
    """Waiting for a key or a notification holds no thread and no connection, so this timeout is longer."""
    deferral_timeout: float = 0.2
    """Start a deferred request at this age at the latest: soon enough for `queue_timeout`."""
    check_interval: float = 0.05
    """Time between two checks for expired requests; a timeout may be exceeded by as much."""
    log_interval: float = 10.0
    """Time between two log lines about rejected requests: an overload rejects thousands a second."""
    notification: NotificationLimits = field(factory=NotificationLimits)


@define(eq=False)
class AdmissionQueue:
    """Admits requests to the thread pool, and rejects those whose response would be late."""

    handle: Handler
    responses: GatewayResponses
    pool: ThreadPool
    loop: AbstractEventLoop
    runtime: Runtime
    service_rate: ServiceRateEstimator
    limits: AdmissionLimits = field(factory=AdmissionLimits)
    _coalescer: Coalescer = field(factory=Coalescer, init=False)
    _notifier: FollowerNotifier = field(init=False)
    _ready: deque[PendingRequest] = field(factory=deque, init=False)
    _deferred: deque[PendingRequest] = field(factory=deque, init=False)
    _running: int = field(default=0, init=False)
    _is_check_scheduled: bool = field(default=False, init=False)
    _rejected: int = field(default=0, init=False)
    _logged_at: float = field(default=float("-inf"), init=False)

    def __attrs_post_init__(self) -> None:
        self._notifier = FollowerNotifier(
            responses=self.responses,
            handle=self.handle,
            loop=self.loop,
            runtime=self.runtime,
            limits=self.limits.notification,
            dispatch=self._dispatch,
            readmit=self._enter,
        )

    @property
    def is_full(self) -> bool:
        """Whether one more request would wait too long."""
        return self.service_rate.estimated_wait(len(self._ready)) > self.limits.longest_estimated_wait

    def admit(self, pending: PendingRequest) -> "Future[GatewayResponse]":
        """Admit a request; the future gets its response."""
        pending.response = self.loop.create_future()
        self._enter(pending)
        self._schedule_check()
        return pending.response

    def reject(self, request: GatewayRequest) -> GatewayResponse:
        """Return SERVICE_BUSY. Rejections are counted one by one, and logged once in `log_interval`."""
        self._rejected += 1
        now = self.runtime.monotonic()
        if now - self._logged_at > self.limits.log_interval:
            _log.warning("front.turned_away", requests=self._rejected, waiting=len(self._ready))
            self._logged_at, self._rejected = now, 0
        return self.responses.busy(request)

    def _enter(self, pending: PendingRequest) -> None:
        if self._coalescer.acquire(pending):
            self._ready.append(pending)
            self._dispatch()

    def _dispatch(self) -> None:
        """Give the pool as many tasks as it can run."""
        if self._deferred and not self._notifier.has_backlog:
            self._ready.extend(self._deferred)
            self._deferred.clear()
        while self._ready and self._running < self.pool.size + _PREFETCH:
            pending = self._ready.popleft()
            if self._is_expired(pending):
                self._shed_leader(pending)
            else:
                self._run(partial(self.handle, pending), partial(self._complete, pending))
        # Notification has one thread at most, and only one that no request waits for.
        is_needed = self._notifier.to_query or self._notifier.to_handle
        if is_needed and self._running < self.pool.size and (batch := self._notifier.next_batch()) is not None:
            self._run(*batch)

    def _run(self, work: Callable[[], T], finish: Callable[[T], None]) -> None:
        self._running += 1

        def finish_and_continue(result: T) -> None:
            self._running -= 1
            finish(result)
            self._dispatch()
            self._schedule_check()

        self.pool.call(self.loop, work, finish_and_continue)

    def _complete(self, pending: PendingRequest, response: GatewayResponse) -> None:
        self.service_rate.completed(are_others_queued=bool(self._ready))
        self._release(pending)
        pending.respond(response)

    def _release(self, leader: PendingRequest) -> None:
        decided, promoted = self._coalescer.release(leader)
        for follower, decision in decided:
            if decision is FollowerDecision.REJECT_AS_BUSY:
                self._shed(follower)
            else:
                is_complete = decision is FollowerDecision.REJECT_AS_TAKEN
                self._notifier.add(follower, leader.result.taken if is_complete else frozenset())
        for pending in promoted:
            # Started after the notifications, its result also decides for the requests that arrive until then.
            is_deferred = leader.has_seen_taken(pending) and self._notifier.has_backlog
            (self._deferred if is_deferred else self._ready).append(pending)

    def _shed_leader(self, pending: PendingRequest) -> None:
        """Reject a request that holds its keys and has not started."""
        self._shed(pending)
        self._release(pending)

    def _shed(self, pending: PendingRequest) -> None:
        pending.respond(self.reject(pending.request))

    def _age(self, pending: PendingRequest) -> float:
        return self.runtime.monotonic() - pending.request.arrived

    def _is_expired(self, pending: PendingRequest) -> bool:
        return self._age(pending) > self.limits.queue_timeout

    def _schedule_check(self) -> None:
        notifier, followers = self._notifier, self._coalescer.followers
        waiting = (self._ready, self._deferred, followers, notifier.to_reject, notifier.to_query, notifier.to_handle)
        if any(waiting) and not self._is_check_scheduled:
            self._is_check_scheduled = True
            self.loop.call_later(self.limits.check_interval, self._check)

    def _check(self) -> None:
        """Shed expired requests and end deferrals; needed while all threads are busy and nothing else is called."""
        self._is_check_scheduled = False
        arrived_before = self.runtime.monotonic() - self.limits.follower_timeout
        for pending in (*self._coalescer.expired(arrived_before), *self._notifier.expired(arrived_before)):
            self._shed(pending)
        while self._deferred and self._age(self._deferred[0]) > self.limits.deferral_timeout:
            self._ready.append(self._deferred.popleft())
        while self._ready and self._is_expired(self._ready[0]):
            self._shed_leader(self._ready.popleft())
        self._dispatch()
        self._schedule_check()
