"""Admission queue: decides which request runs next, which one waits and which one is rejected (ADR 0016).

Runs on the event loop; only the tasks of the thread pool run elsewhere.
"""

from asyncio import AbstractEventLoop, Future
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from typing import Final, TypeVar

import structlog
from attrs import define, field, frozen

from booking_api.gateway_responses import GatewayResponse, GatewayResponses
from booking_core.application.reserve_group import Outcome
from booking_core.ports import Deferral, Runtime
from booking_server.gateway.admission_control import AdmissionControl
from booking_server.gateway.application import ThreadPool
from booking_server.gateway.coalescing import Coalescer, FollowerDecision, LeaderResult, PendingRequest
from booking_server.gateway.follower_notification import FollowerNotifier, Handler, NotificationLimits
from booking_server.gateway.groups import Grouping, GroupRunner
from booking_server.gateway.ready_requests import ControlledQueue, client_of

_log = structlog.get_logger(__name__)

T = TypeVar("T")

# `Retry-After` is random between 1 s and this, so that rejected clients do not return together.
_LONGEST_RETRY_AFTER: Final = 2
_LONGEST_RETRY_AFTER_IF_OVERLOADED: Final = 3
# Tasks in the pool beyond one for each thread, so that a thread that is done need not wait for the event loop.
_PREFETCH: Final = 1


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
    """Admits requests to the thread pool and reservations to groups, and rejects those whose response would be late.

    Without `grouping` reservations are requests like others.
    """

    handle: Handler
    responses: GatewayResponses
    pool: ThreadPool
    loop: AbstractEventLoop
    runtime: Runtime
    control: AdmissionControl
    grouping: Grouping | None = None
    limits: AdmissionLimits = field(factory=AdmissionLimits)
    _coalescer: Coalescer = field(factory=Coalescer, init=False)
    _notifier: FollowerNotifier = field(init=False)
    _for_threads: ControlledQueue = field(init=False)
    _for_groups: ControlledQueue = field(init=False)
    """For members of groups; without groups it is the queue for threads."""
    _groups: GroupRunner | None = field(default=None, init=False)
    _deferred: deque[PendingRequest] = field(factory=deque, init=False)
    _is_dispatch_scheduled: bool = field(default=False, init=False)
    _is_check_scheduled: bool = field(default=False, init=False)
    _rejected: int = field(default=0, init=False)
    _logged_at: float = field(default=float("-inf"), init=False)

    def __attrs_post_init__(self) -> None:
        self._for_threads = self._for_groups = ControlledQueue(self.control)
        self._notifier = FollowerNotifier(
            responses=self.responses,
            handle=self.handle,
            loop=self.loop,
            runtime=self.runtime,
            limits=self.limits.notification,
            dispatch=self._dispatch,
            readmit=self._enter,
        )
        if self.grouping is not None:
            self._for_groups = ControlledQueue(AdmissionControl())
            self._groups = GroupRunner(
                reserve=self.grouping.reserve,
                loop=self.loop,
                runtime=self.runtime,
                limits=self.grouping.limits,
                completed=self._complete_group,
                dispatch=self._dispatch,
            )

    def accepts(self, pending: PendingRequest) -> bool:
        """Whether to admit a request."""
        return self._accepts(self._queue_of(pending), pending)

    def admit(self, pending: PendingRequest) -> "Future[GatewayResponse]":
        """Admit a request; the future gets its response."""
        pending.response = self.loop.create_future()
        self._enter(pending)
        self._schedule_check()
        return pending.response

    def reject(self, pending: PendingRequest) -> GatewayResponse:
        """Return SERVICE_BUSY. Rejections are counted one by one, and logged once in `log_interval`."""
        self._rejected += 1
        now = self.runtime.monotonic()
        if now - self._logged_at > self.limits.log_interval:
            waiting = len(self._queue_of(pending).ready)
            _log.warning("front.turned_away", requests=self._rejected, waiting=waiting)
            self._logged_at, self._rejected = now, 0
        is_overloaded = self._queue_of(pending).control.is_overloaded
        longest = _LONGEST_RETRY_AFTER_IF_OVERLOADED if is_overloaded else _LONGEST_RETRY_AFTER
        retry_after = min(longest, int(self.runtime.uniform(1, longest + 1)))
        return self.responses.busy(pending.request, retry_after=retry_after)

    def _queue_of(self, pending: PendingRequest) -> ControlledQueue:
        return self._for_groups if pending.is_reservation else self._for_threads

    def _enter(self, pending: PendingRequest) -> None:
        if not self._coalescer.acquire(pending):
            return
        queue = self._understood(pending)
        # Only now is it known that a thread serves this reservation, so that the queue for threads decides, too.
        if pending.is_reservation and queue is not self._for_groups and not self._accepts(queue, pending):
            self._shed(pending)
            self._release(pending)
            return
        queue.ready.append(pending)
        self._dispatch()

    def _accepts(self, queue: ControlledQueue, pending: PendingRequest) -> bool:
        return queue.accepts(self.runtime.monotonic(), pending)

    def _ready(self, pending: PendingRequest) -> None:
        self._understood(pending).ready.append(pending)

    def _understood(self, pending: PendingRequest) -> ControlledQueue:
        """The queue for a request that has its keys: that for threads if only the application can respond."""
        if self.grouping is not None and pending.intent is not None and pending.intent.keys:
            try:
                pending.reservation = self.grouping.understood(pending)
            except Exception:  # it holds its keys: whoever waits for them must not wait for ever
                _log.exception("group.reading_failed")
        return self._for_threads if pending.reservation is None else self._for_groups

    def _dispatch(self) -> None:
        """Start what can start: tasks of the pool at once, a group when this turn of the event loop has ended."""
        if self._deferred and not self._notifier.has_backlog:
            self._undefer(len(self._deferred))
        threads = self._for_threads
        while threads.ready and threads.running < self.pool.size + _PREFETCH:
            pending = threads.ready.take()
            if self._age(pending) > self.limits.queue_timeout:
                self._shed_leader(pending)
            else:
                self._run(partial(self.handle, pending), partial(self._complete, pending))
        if self._groups is not None and self._for_groups.ready and not self._is_dispatch_scheduled:
            self._is_dispatch_scheduled = True
            self.loop.call_soon(self._dispatch_group)
        # Notification has one thread at most, and only one that no request waits for.
        is_needed = self._notifier.to_query or self._notifier.to_handle
        if is_needed and threads.running < self.pool.size and (batch := self._notifier.next_batch()) is not None:
            self._run(*batch)

    def _dispatch_group(self) -> None:
        """Start a group of what waits; requests that have arrived in the same turn of the event loop are among it."""
        self._is_dispatch_scheduled = False
        groups, queue = self._groups, self._for_groups
        if groups is None or not groups.may_start:
            return
        members: list[PendingRequest] = []
        while queue.ready and len(members) < groups.limits.size:
            pending = queue.ready.take()
            if self._age(pending) > self.limits.queue_timeout:
                self._shed_leader(pending)
            else:
                members.append(pending)
        if members:
            queue.running += len(members)
            groups.start(members)

    def _complete_group(self, members: Sequence[PendingRequest], outcomes: Sequence[Outcome]) -> None:
        """Let the next group start before the responses of this one are written."""
        queue = self._for_groups
        queue.running -= len(members)
        queue.completed(self.runtime.monotonic(), len(members))
        for pending, outcome in zip(members, outcomes, strict=True):
            if not isinstance(outcome, Deferral):
                pending.result = LeaderResult.of(outcome)
                self._release(pending)
        self._dispatch_group()
        self.loop.call_soon(self._respond, members, outcomes)

    def _respond(self, members: Sequence[PendingRequest], outcomes: Sequence[Outcome]) -> None:
        assert self.grouping is not None  # noqa: S101 - there was a group
        deferred: list[PendingRequest] = []
        for pending, outcome in zip(members, outcomes, strict=True):
            if isinstance(outcome, Deferral):
                self.grouping.leave(pending, outcome)
                deferred.append(pending)
            else:
                pending.respond(self._response(self.grouping, pending, outcome))
        for pending in reversed(deferred):
            self._for_threads.ready.put_first(pending)
        self._dispatch()
        self._schedule_check()

    def _response(self, grouping: Grouping, member: PendingRequest, outcome: Outcome) -> GatewayResponse:
        try:
            return grouping.respond(member, outcome)
        except Exception:  # one response that fails must not keep the other members from theirs
            _log.exception("group.response_failed")
            return self.responses.broken(member.request)

    def _run(self, work: Callable[[], T], finish: Callable[[T], None]) -> None:
        self._for_threads.running += 1

        def finish_and_continue(result: T) -> None:
            self._for_threads.running -= 1
            finish(result)
            self._dispatch()
            self._schedule_check()

        self.pool.call(self.loop, work, finish_and_continue)

    def _complete(self, pending: PendingRequest, response: GatewayResponse) -> None:
        self._for_threads.completed(self.runtime.monotonic())
        self._release(pending)
        pending.respond(response)

    def _release(self, leader: PendingRequest) -> None:
        decided, promoted = self._coalescer.release(leader)
        if decided:
            self._for_groups.control.answered(self.runtime.monotonic(), len(decided))
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
                self._ready(pending)

    def _undefer(self, number: int) -> None:
        for _ in range(number):
            self._ready(self._deferred.popleft())

    def _shed_leader(self, pending: PendingRequest) -> None:
        """Reject an expired request, which holds its keys and has not started."""
        self._queue_of(pending).control.rejected(self.runtime.monotonic(), client_of(pending))
        if pending.reservation is not None and self.grouping is not None:
            self.grouping.leave(pending, None)
        self._shed(pending)
        self._release(pending)

    def _shed(self, pending: PendingRequest) -> None:
        pending.respond(self.reject(pending))

    def _age(self, pending: PendingRequest) -> float:
        return self.runtime.monotonic() - pending.request.arrived

    def _schedule_check(self) -> None:
        notifier, followers = self._notifier, self._coalescer.followers
        ready = self._for_threads.ready, self._for_groups.ready
        waiting = (*ready, self._deferred, followers, notifier.to_reject, notifier.to_query, notifier.to_handle)
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
        arrived_before = self.runtime.monotonic() - self.limits.queue_timeout
        for queue in (self._for_threads, self._for_groups):
            for pending in queue.ready.expired(arrived_before):
                self._shed_leader(pending)
        self._dispatch()
        self._schedule_check()
