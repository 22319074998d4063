"""Who goes in next. Everything here happens in the thread of the event loop; the crew alone works beside it."""

from asyncio import AbstractEventLoop, Future
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from time import perf_counter
from typing import Final

import structlog
from attrs import define, field

from booking_api.crowd import FOUND, TAKEN
from booking_service.front.crew import Crew
from booking_service.front.lanes import NOTHING, Finding, Lanes, Verdict
from booking_service.front.pace import Pace
from booking_service.front.visits import Answer, Visit
from booking_service.front.wsgi import Application, call

_log = structlog.get_logger(__name__)

# Whoever has not got in by then is turned away: an answer later than half a second is late (spec 4.1).
PATIENCE_SECONDS: Final = 0.4
# In a lane nobody holds a thread or a connection, and most are told something soon.
LANE_PATIENCE_SECONDS: Final = 1.0
# Those who are told what is known anyway give way to others, but not for ever.
_GIVE_WAY_SECONDS: Final = 0.1
# To tell what is known takes nothing but the interpreter, of which there is one: a single thread does it, and hands in
# its answers by the dozen.
_TOLD_TOGETHER: Final = 16
# So many wait for the crew's next free hands, out of our own.
_AHEAD: Final = 1
_LOOK_EVERY_SECONDS: Final = 0.05
_SAY_EVERY_SECONDS: Final = 10.0


@define(eq=False)
class Hall:
    """Lets visits in as the crew gets to them, and turns away those for whom it would be too late."""

    application: Application
    crew: Crew
    loop: AbstractEventLoop
    _lanes: Lanes = field(factory=Lanes, init=False)
    _ready: deque[Visit] = field(factory=deque, init=False)
    _told: deque[Visit] = field(factory=deque, init=False)
    _pace: Pace = field(factory=Pace, init=False)
    _at_work: int = field(default=0, init=False)
    _is_telling: bool = field(default=False, init=False)
    _is_looking: bool = field(default=False, init=False)
    _turned_away: int = field(default=0, init=False)
    _said_at: float = field(default=float("-inf"), init=False)

    def admit(self, visit: Visit) -> "Future[Answer]":
        """The answer, when there is one."""
        visit.answer = self.loop.create_future()
        if self._pace.wait_for(len(self._ready)) > PATIENCE_SECONDS:
            self._turn_away(visit)
        elif self._lanes.enter(visit):
            self._ready.append(visit)
            self._go_on()
        self._look_later()
        return visit.answer

    def _go_on(self) -> None:
        """Give the crew what it has hands for."""
        while self._at_work < self.crew.size + _AHEAD and (self._ready or self._may_tell()):
            if self._may_tell() and self._told_are_next():
                visits = [self._told.popleft() for _ in range(min(_TOLD_TOGETHER, len(self._told)))]
                self._is_telling = True
            elif self._is_too_late(visit := self._ready.popleft()):
                self._turn_away(visit)
                self._leave(visit, NOTHING)
                continue
            else:
                visits = [visit]
            self._at_work += 1
            self.crew.do(partial(self._serve, visits))

    def _may_tell(self) -> bool:
        return bool(self._told) and not self._is_telling

    def _told_are_next(self) -> bool:
        if not self._ready:
            return True
        return self._told[0].arrived + _GIVE_WAY_SECONDS < self._ready[0].arrived

    def _serve(self, visits: Sequence[Visit]) -> None:
        """In a thread of the crew."""
        answers = [self._answer_of(visit) for visit in visits]
        # The loop is gone after a shutdown that did not wait for these answers.
        with suppress(RuntimeError):
            self.loop.call_soon_threadsafe(self._served, visits, answers)

    def _answer_of(self, visit: Visit) -> Answer:
        visit.began = perf_counter()
        try:
            return call(self.application, visit.environ)
        except Exception:
            _log.exception("front.application_failed")
            return self.application.early.broken(visit.method, visit.headers, perf_counter() - visit.arrived)

    def _served(self, visits: Sequence[Visit], answers: Sequence[Answer]) -> None:
        self._at_work -= 1
        for visit, answer in zip(visits, answers, strict=True):
            if TAKEN in visit.environ:
                self._is_telling = False
            else:
                self._pace.done(is_crowded=bool(self._ready))
                self._leave(visit, Finding(visit.environ.get(FOUND, frozenset()), held_up=answer[0] == 503))
            self._answer(visit, answer)
        self._go_on()

    def _leave(self, visit: Visit, found: Finding) -> None:
        told, started = self._lanes.leave(visit, found)
        for other, verdict in told:
            if verdict is Verdict.TAKEN:
                other.environ[TAKEN] = found.taken
                self._told.append(other)
            else:
                self._turn_away(other)
        self._ready.extend(started)

    def _turn_away(self, visit: Visit) -> None:
        now = perf_counter()
        self._answer(visit, self.application.early.busy(visit.method, visit.headers, now - visit.arrived))
        self._turned_away += 1
        if now - self._said_at > _SAY_EVERY_SECONDS:
            _log.warning("front.turned_away", requests=self._turned_away, waiting=len(self._ready))
            self._said_at, self._turned_away = now, 0

    def _answer(self, visit: Visit, answer: Answer) -> None:
        if not visit.answer.done():  # it is when the caller has gone
            visit.answer.set_result(answer)

    def _is_too_late(self, visit: Visit) -> bool:
        return perf_counter() - visit.arrived > PATIENCE_SECONDS

    def _look_later(self) -> None:
        if not self._is_looking and (self._ready or self._lanes.is_anybody_waiting):
            self._is_looking = True
            self.loop.call_later(_LOOK_EVERY_SECONDS, self._look)

    def _look(self) -> None:
        """Nobody waits in vain while the crew is stuck."""
        self._is_looking = False
        for visit in self._lanes.impatient(perf_counter() - LANE_PATIENCE_SECONDS):
            self._turn_away(visit)
        while self._ready and self._is_too_late(self._ready[0]):
            visit = self._ready.popleft()
            self._turn_away(visit)
            self._leave(visit, NOTHING)
        self._go_on()
        self._look_later()
