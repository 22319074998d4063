"""Admission queue: decides which request runs next, which one waits and which one is rejected (ADR 0016).

Runs on the event loop; only the tasks of the thread pool run elsewhere.
"""

from asyncio import AbstractEventLoop, Future
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from queue import SimpleQueue
from typing import Final, TypeVar

import structlog
from attrs import define, field, frozen

from booking_api.gateway_responses import GatewayRequest, GatewayResponse, GatewayResponses
from booking_core.ports import Runtime
from booking_server.gateway.admission_control import AdmissionControl, Client
from booking_server.gateway.coalescing import Coalescer, FollowerDecision, PendingRequest, Priority
from booking_server.gateway.follower_notification import FollowerNotifier, Handler, NotificationLimits

_log = structlog.get_logger(__name__)

T = TypeVar("T")

# The oldest request starts in every eighth turn, so that a high priority delays a low one and does not starve it.
_OLDEST_EVERY: Final = 8
# `Retry-After` is random between 1 s and this, so that rejected clients do not return together.
_LONGEST_RETRY_AFTER: Final = 2
_LONGEST_RETRY_AFTER_IF_OVERLOADED: Final = 3
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


@frozen(kw_only=True)
class AdmissionLimits:
    """The limits of the queue, in seconds, and those of follower notification."""

    queue_timeout: float = 0.4
    """Reject a request that has not started at this age: a response after 0.5 s is late (NFR-01). As long as
    `longest_estimated_wait`, which includes the requests that run."""
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
    control: AdmissionControl
    limits: AdmissionLimits = field(factory=AdmissionLimits)
    _coalescer: Coalescer = field(factory=Coalescer, init=False)
    _notifier: FollowerNotifier = field(init=False)
    _ready: ReadyRequests = field(factory=ReadyRequests, init=False)
    _deferred: deque[PendingRequest] = field(factory=deque, init=False)
    _running: int = field(default=0, init=False)
    _is_contended: bool = field(default=False, init=False)
    """Whether requests were queued when the latest one completed: admission control measures from then on."""
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

    def accepts(self, pending: PendingRequest) -> bool:
        """Whether to admit a request. Without a queue the answer needs no admission control."""
        ahead, oldest = self._ready.ahead_of(pending.priority)
        if not ahead:
            return True
        now = self.runtime.monotonic()
        client = _client(pending)
        if self.control.admits(now, ahead=ahead + self._running, oldest=now - oldest, client=client):
            return True
        self.control.rejected(now, client)
        return False

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
        longest = _LONGEST_RETRY_AFTER_IF_OVERLOADED if self.control.is_overloaded else _LONGEST_RETRY_AFTER
        return self.responses.busy(request, retry_after=min(longest, int(self.runtime.uniform(1, longest + 1))))

    def _enter(self, pending: PendingRequest) -> None:
        if self._coalescer.acquire(pending):
            self._ready.append(pending)
            self._dispatch()

    def _dispatch(self) -> None:
        """Give the pool as many tasks as it can run."""
        if self._deferred and not self._notifier.has_backlog:
            self._undefer(len(self._deferred))
        while self._ready and self._running < self.pool.size + _PREFETCH:
            pending = self._ready.take()
            if self._age(pending) > self.limits.queue_timeout:
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
        are_others_queued = bool(self._ready)
        if are_others_queued or self._is_contended:
            self.control.completed(self.runtime.monotonic(), are_others_queued=are_others_queued)
            self._is_contended = are_others_queued
        self._release(pending)
        pending.respond(response)

    def _release(self, leader: PendingRequest) -> None:
        decided, promoted = self._coalescer.release(leader)
        if decided:
            self.control.answered(self.runtime.monotonic(), len(decided))
        for follower, decision in decided:
            if decision is FollowerDecision.REJECT_AS_BUSY:
                self._shed(follower)
            else:
                is_complete = decision is FollowerDecision.REJECT_AS_TAKEN
                self._notifier.add(follower, leader.result.taken if is_complete else frozenset())
        for pending in promoted:
            # Started after the notifications, its result also decides for the requests that arrive until then.
            is_deferred = leader.has_seen_taken(pending) and self._notifier.has_backlog
            if is_deferred:
                self._deferred.append(pending)
            else:
                self._ready.append(pending)

    def _undefer(self, number: int) -> None:
        for _ in range(number):
            self._ready.append(self._deferred.popleft())

    def _shed_leader(self, pending: PendingRequest) -> None:
        """Reject an expired request, which holds its keys and has not started."""
        self.control.rejected(self.runtime.monotonic(), _client(pending))
        self._shed(pending)
        self._release(pending)

    def _shed(self, pending: PendingRequest) -> None:
        pending.respond(self.reject(pending.request))

    def _age(self, pending: PendingRequest) -> float:
        return self.runtime.monotonic() - pending.request.arrived

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
            self._undefer(1)
        for pending in self._ready.expired(self.runtime.monotonic() - self.limits.queue_timeout):
            self._shed_leader(pending)
        self._dispatch()
        self._schedule_check()


def _client(pending: PendingRequest) -> Client:
    """Whose request it is. HTTP/2 sends the requests of many clients over one connection at the same time."""
    scope = pending.scope
    connection = scope.client if scope.http_version.startswith("1") else ""
    return Client(pending.request.headers.get("authorization", ""), connection)
