"""Follower notification: the responses to followers whose seats are taken, without delaying other requests (ADR 0016).

Most followers are answered on the event loop. A pool thread answers those for which something has to be queried: a
request with an idempotency key may have a stored response, one that wants other seats besides has to learn of those
too, and a new token has to be verified. One such batch runs at a time.
"""

from asyncio import AbstractEventLoop
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from uuid import UUID

import structlog
from attrs import define, field, frozen

from booking_api.gateway_responses import Follower, GatewayResponse, GatewayResponses
from booking_core import SeatStatus, ServiceBusy
from booking_core.ports import Runtime
from booking_server.gateway.coalescing import PendingRequest

_log = structlog.get_logger(__name__)

Handler = Callable[[PendingRequest], GatewayResponse]
"""Lets the application answer a request. It blocks and raises nothing."""
_Answer = Callable[[Sequence[PendingRequest]], "list[GatewayResponse | None]"]
_Outcome = tuple["list[GatewayResponse | None]", float]
Batch = tuple[Callable[[], _Outcome], Callable[[_Outcome], None]]
"""The work of a batch, for a pool thread, and what takes its outcome on the event loop."""


@frozen(kw_only=True)
class NotificationLimits:
    """How many followers are notified at once, and how long the pauses between two batches are."""

    together: int = 8
    """Followers in a batch. Other requests wait for a batch to end, so it is small."""
    pause_factor: float = 3.0
    """Pause of the event loop, as a multiple of a batch's time. Notified clients retry at once, and would leave the
    loop no time for other requests."""
    thread_pause_factor: float = 1.0
    """Pause of the pool thread, as a multiple of a batch's CPU time; shorter, because a thread releases the GIL."""
    queried_together: int = 32
    """Followers that share one query."""


@define(eq=False)
class FollowerNotifier:
    """Answers each follower once. Runs on the event loop, except for the work of a batch.

    `dispatch` is called when a batch may start. `readmit` takes back a follower whose seats turned out to be free.
    """

    responses: GatewayResponses
    handle: Handler
    loop: AbstractEventLoop
    runtime: Runtime
    limits: NotificationLimits
    dispatch: Callable[[], None]
    readmit: Callable[[PendingRequest], None]
    to_reject: deque[PendingRequest] = field(factory=deque, init=False)
    """Followers for the event loop: nothing has to be queried."""
    to_query: deque[PendingRequest] = field(factory=deque, init=False)
    """Followers for a pool thread: tokens, stored responses or seats have to be queried."""
    to_handle: deque[PendingRequest] = field(factory=deque, init=False)
    """Followers for the application: after the query it is still open what their response is."""
    _is_rejecting: bool = field(default=False, init=False)
    _is_batch_running: bool = field(default=False, init=False)

    @property
    def has_backlog(self) -> bool:
        """Whether more followers wait than one batch takes."""
        return len(self.to_reject) + len(self.to_query) > self.limits.together

    def add(self, follower: PendingRequest, taken: frozenset[UUID]) -> None:
        """Notify a follower that these of its seats are taken; if none is given, its seats are queried first."""
        assert follower.intent is not None  # noqa: S101 - only reservations follow
        follower.known_taken = taken
        if follower.intent.has_idempotency_key or not taken:
            self.to_query.append(follower)
            return
        self.to_reject.append(follower)
        if not self._is_rejecting:
            self._is_rejecting = True
            self.loop.call_soon(self._reject)

    def next_batch(self) -> Batch | None:
        """Return the next batch; None while one runs, in the pause after it, and if no follower waits."""
        if self._is_batch_running or not (self.to_query or self.to_handle):
            return None
        self._is_batch_running = True
        answer: _Answer = self._handle_all if self.to_handle else self._query_all
        together = self.limits.together if self.to_handle else self.limits.queried_together
        followers = _take(self.to_handle or self.to_query, together)
        return partial(self._run, answer, followers), partial(self._finish, followers)

    def expired(self, arrived_before: float) -> Iterator[PendingRequest]:
        """Remove and return the followers that wait for a pool thread and arrived before this moment."""
        for waiting in (self.to_query, self.to_handle):
            if any(each.request.arrived < arrived_before for each in waiting):
                followers = list(waiting)
                waiting.clear()
                waiting.extend(each for each in followers if each.request.arrived >= arrived_before)
                yield from (each for each in followers if each.request.arrived < arrived_before)

    def _run(self, answer: _Answer, followers: Sequence[PendingRequest]) -> _Outcome:
        """Return the responses, None for each that stays open, and the CPU seconds of the pool thread."""
        began = self.runtime.cpu_seconds()
        return answer(followers), self.runtime.cpu_seconds() - began

    def _finish(self, followers: Sequence[PendingRequest], outcome: _Outcome) -> None:
        responses, cpu_seconds = outcome
        for follower, response in zip(followers, responses, strict=True):
            if response is not None:
                follower.respond(response)
            elif follower.known_taken:
                self.to_handle.append(follower)
            else:
                self.readmit(follower)
        self.loop.call_later(cpu_seconds * self.limits.thread_pause_factor, self._end_pause)

    def _end_pause(self) -> None:
        self._is_batch_running = False
        self.dispatch()

    def _reject(self) -> None:
        began = self.runtime.monotonic()
        for follower in _take(self.to_reject, self.limits.together):
            response = self._rejection(follower)
            if response is not None:
                follower.respond(response)
            else:
                # Its token has to be verified first, which takes a while and may wait for the issuer's keys.
                self.to_query.append(follower)
        self.dispatch()
        self._is_rejecting = bool(self.to_reject)
        if self._is_rejecting:
            self.loop.call_later((self.runtime.monotonic() - began) * self.limits.pause_factor, self._reject)

    def _rejection(self, follower: PendingRequest) -> GatewayResponse | None:
        try:
            return self.responses.taken(_follower(follower))
        except Exception:  # one response that fails must not keep the others from theirs
            _log.exception("front.telling_failed")
            return self.responses.broken(follower.request)

    def _query_all(self, followers: Sequence[PendingRequest]) -> "list[GatewayResponse | None]":
        """Answer after at most two queries. Runs on a pool thread."""
        try:
            self._query_seats([each for each in followers if not each.known_taken])
            known = [_follower(each) for each in followers if each.known_taken]
            responses = iter(self.responses.taken_after_queries(known))
            return [next(responses) if each.known_taken else None for each in followers]
        except ServiceBusy:
            return [self.responses.busy(each.request) for each in followers]
        except Exception:
            _log.exception("front.telling_failed")
            return [self.responses.broken(each.request) for each in followers]

    def _query_seats(self, followers: Sequence[PendingRequest]) -> None:
        """Set `known_taken` of each follower, with one query for each event. Runs on a pool thread."""
        by_event: dict[UUID, dict[PendingRequest, frozenset[UUID]]] = {}
        for follower in followers:
            assert follower.intent is not None  # noqa: S101 - only reservations follow
            by_event.setdefault(follower.intent.event_id, {})[follower] = follower.intent.seats
        for event_id, wanted in by_event.items():
            statuses = self.responses.seat_statuses(event_id, frozenset().union(*wanted.values()))
            taken = {seat_id for seat_id, status in statuses.items() if status is not SeatStatus.AVAILABLE}
            for follower, seats in wanted.items():
                follower.was_queried = True
                # A seat that does not exist is for the application to report, whatever has become of the others.
                if seats <= statuses.keys():
                    follower.known_taken = seats & taken

    def _handle_all(self, followers: Sequence[PendingRequest]) -> "list[GatewayResponse | None]":
        return [self.handle(each) for each in followers]


def _follower(pending: PendingRequest) -> Follower:
    assert pending.intent is not None  # noqa: S101 - only reservations follow
    return Follower(pending.request, pending.intent.body, pending.known_taken)


def _take(waiting: deque[PendingRequest], most: int) -> list[PendingRequest]:
    return [waiting.popleft() for _ in range(min(most, len(waiting)))]
