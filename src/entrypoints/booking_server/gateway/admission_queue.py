"""Who goes in next. Everything here happens in the thread of the event loop; the crew alone works beside it."""

from asyncio import AbstractEventLoop, Future
from collections import deque
from contextlib import suppress
from functools import partial
from time import perf_counter
from typing import Final

import structlog
from attrs import define, field

from booking_api.gateway_responses import GatewayRequest
from booking_server.gateway.followers import NOT_LOOKED_AT, FollowerNotifier, Group, tell
from booking_server.gateway.keys import NOTHING, Finding, Lanes, Verdict
from booking_server.gateway.pending_request import Answer, PendingRequest
from booking_server.gateway.service_rate import ServiceRateEstimator
from booking_server.gateway.thread_pool import Task, ThreadPool
from booking_server.gateway.wsgi import Application, answer_of

_log = structlog.get_logger(__name__)

# Whoever would wait longer, by the pace of the moment, is refused at once.
LONGEST_WAIT_SECONDS: Final = 0.2
# Whoever has not got in by then is turned away after all: an answer later than half a second is late (spec 4.1).
PATIENCE_SECONDS: Final = 0.4
# In a lane nobody holds a thread or a connection, and most are told something soon; so it is with those who are told.
LANE_PATIENCE_SECONDS: Final = 1.0
# What one has found is told to all who were there. The next to look at the same seats goes in when they have been told,
# so that one look does for all who have come meanwhile; but not later than this after it arrived.
_HELD_BACK_SECONDS: Final = 0.2
# So many wait for the crew's next free hands, out of our own.
_AHEAD: Final = 1
_LOOK_EVERY_SECONDS: Final = 0.05
_SAY_EVERY_SECONDS: Final = 10.0


@define(eq=False)
class AdmissionQueue:
    """Lets visits in as the crew gets to them, and turns away those for whom it would be too late."""

    application: Application
    crew: ThreadPool
    loop: AbstractEventLoop
    _lanes: Lanes = field(factory=Lanes, init=False)
    _ready: deque[PendingRequest] = field(factory=deque, init=False)
    _held_back: deque[PendingRequest] = field(factory=deque, init=False)
    _telling: FollowerNotifier = field(init=False)
    _pace: ServiceRateEstimator = field(factory=ServiceRateEstimator, init=False)
    _at_work: int = field(default=0, init=False)
    _is_looking: bool = field(default=False, init=False)
    _turned_away: int = field(default=0, init=False)
    _said_at: float = field(default=float("-inf"), init=False)

    def __attrs_post_init__(self) -> None:
        self._telling = FollowerNotifier(self.application, self.loop, self._answer, self._go_on, self._enter)

    def admit(self, visit: PendingRequest) -> "Future[Answer]":
        """The answer, when there is one."""
        visit.answer = self.loop.create_future()
        self._enter(visit)
        self._look_later()
        return visit.answer

    def _enter(self, visit: PendingRequest) -> None:
        if self._lanes.enter(visit):
            self._ready.append(visit)
            self._go_on()

    @property
    def is_full(self) -> bool:
        """Whether one more would wait too long."""
        return self._pace.wait_for(len(self._ready)) > LONGEST_WAIT_SECONDS

    def refuse(self, request: GatewayRequest) -> Answer:
        """SERVICE_BUSY, counted; logged now and then."""
        self._turned_away += 1
        now = perf_counter()
        if now - self._said_at > _SAY_EVERY_SECONDS:
            _log.warning("front.turned_away", requests=self._turned_away, waiting=len(self._ready))
            self._said_at, self._turned_away = now, 0
        return self.application.gateway_responses.busy(request)

    def _go_on(self) -> None:
        """Give the crew what it has hands for."""
        if self._held_back and not self._telling.has_a_crowd:
            self._ready.extend(self._held_back)
            self._held_back.clear()
        while self._ready and self._at_work < self.crew.size + _AHEAD:
            visit = self._ready.popleft()
            if self._is_too_late(visit):
                self._send_out(visit)
            else:
                self._put_to_work(partial(self._serve, visit))
        # One hand at most is for those who are only told, and only while nobody else waits for it.
        if self._at_work < self.crew.size and (group := self._telling.next_group()) is not None:
            self._put_to_work(partial(self._tell, group))

    def _put_to_work(self, task: Task) -> None:
        self._at_work += 1
        self.crew.do(task)

    def _serve(self, visit: PendingRequest) -> None:
        """In a thread of the crew."""
        answer = answer_of(self.application, visit)
        # The loop is gone after a shutdown that did not wait for this answer.
        with suppress(RuntimeError):
            self.loop.call_soon_threadsafe(self._served, visit, answer)

    def _served(self, visit: PendingRequest, answer: Answer) -> None:
        self._at_work -= 1
        self._pace.done(is_crowded=bool(self._ready))
        self._leave(visit, Finding(visit.found, held_up=visit.held_up))
        self._answer(visit, answer)
        self._go_on()

    def _tell(self, group: Group) -> None:
        """In a thread of the crew."""
        answers, took = tell(group)
        with suppress(RuntimeError):
            self.loop.call_soon_threadsafe(self._told, group, answers, took)

    def _told(self, group: Group, answers: "list[Answer | None]", took: float) -> None:
        self._at_work -= 1
        self._telling.told(group, answers, took)
        self._go_on()
        self._look_later()

    def _leave(self, visit: PendingRequest, found: Finding) -> None:
        told, started = self._lanes.leave(visit, found)
        for other, verdict in told:
            if verdict is Verdict.BUSY:
                self._turn_away(other)
            else:
                self._telling.add(other, found.taken if verdict is Verdict.TAKEN else NOT_LOOKED_AT)
        for other in started:
            is_one_of_the_crowd = found.concerns(visit, other) and self._telling.has_a_crowd
            (self._held_back if is_one_of_the_crowd else self._ready).append(other)

    def _send_out(self, visit: PendingRequest) -> None:
        """It was in its lanes, and is too late."""
        self._turn_away(visit)
        self._leave(visit, NOTHING)

    def _turn_away(self, visit: PendingRequest) -> None:
        self._answer(visit, self.refuse(visit.request))

    def _answer(self, visit: PendingRequest, answer: Answer) -> None:
        if not visit.answer.done():  # it is when the caller has gone
            visit.answer.set_result(answer)

    def _is_too_late(self, visit: PendingRequest) -> bool:
        return perf_counter() - visit.arrived > PATIENCE_SECONDS

    def _look_later(self) -> None:
        is_anybody_waiting = (
            self._ready or self._held_back or self._lanes.is_anybody_waiting or self._telling.is_anybody_waiting
        )
        if not self._is_looking and is_anybody_waiting:
            self._is_looking = True
            self.loop.call_later(_LOOK_EVERY_SECONDS, self._look)

    def _look(self) -> None:
        """Nobody waits in vain while the crew is stuck."""
        self._is_looking = False
        since = perf_counter() - LANE_PATIENCE_SECONDS
        for visit in (*self._lanes.impatient(since), *self._telling.impatient(since)):
            self._turn_away(visit)
        while self._held_back and perf_counter() - self._held_back[0].arrived > _HELD_BACK_SECONDS:
            self._ready.append(self._held_back.popleft())
        while self._ready and self._is_too_late(self._ready[0]):
            self._send_out(self._ready.popleft())
        self._go_on()
        self._look_later()
