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

from booking_service.front.crew import Crew
from booking_service.front.lanes import NOTHING, Finding, Lanes, Verdict
from booking_service.front.pace import Pace
from booking_service.front.visits import Answer, Visit
from booking_service.front.wsgi import Application, serve

_log = structlog.get_logger(__name__)

# Whoever has not got in by then is turned away: an answer later than half a second is late (spec 4.1).
PATIENCE_SECONDS: Final = 0.4
# In a lane nobody holds a thread or a connection, and most are told something soon.
LANE_PATIENCE_SECONDS: Final = 1.0
# So many wait for the crew's next free hands, out of our own.
_AHEAD: Final = 1
# A crowd is told in small groups with pauses, so many times as long, in which everything else happens: whoever is told
# comes back at once, and without pauses the loop would do nothing else.
_TOLD_TOGETHER: Final = 8
_PAUSES: Final = 2.0
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
    _strangers: deque[Visit] = field(factory=deque, init=False)
    _pace: Pace = field(factory=Pace, init=False)
    _at_work: int = field(default=0, init=False)
    _is_looking: bool = field(default=False, init=False)
    _is_telling: bool = field(default=False, init=False)
    _are_strangers_inside: bool = field(default=False, init=False)
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
        while self._ready and self._at_work < self.crew.size + _AHEAD:
            visit = self._ready.popleft()
            if self._is_too_late(visit):
                self._send_out(visit)
            else:
                self._let_in([visit])
        # One hand at most is for those who are only told, and only while nobody else waits for it.
        if self._strangers and not self._are_strangers_inside and self._at_work < self.crew.size:
            self._are_strangers_inside = True
            self._let_in([self._strangers.popleft() for _ in range(min(_TOLD_TOGETHER, len(self._strangers)))])

    def _let_in(self, visits: Sequence[Visit]) -> None:
        self._at_work += 1
        self.crew.do(partial(self._serve, visits))

    def _serve(self, visits: Sequence[Visit]) -> None:
        """In a thread of the crew."""
        answers = [self._answer_of(visit) for visit in visits]
        # The loop is gone after a shutdown that did not wait for these answers.
        with suppress(RuntimeError):
            self.loop.call_soon_threadsafe(self._served, visits, answers)

    def _answer_of(self, visit: Visit) -> Answer:
        visit.began = perf_counter()
        try:
            return serve(self.application, visit)
        except Exception:
            _log.exception("front.application_failed")
            return self.application.early.broken(visit.request)

    def _served(self, visits: Sequence[Visit], answers: Sequence[Answer]) -> None:
        self._at_work -= 1
        for visit, answer in zip(visits, answers, strict=True):
            if visit.taken:
                self._are_strangers_inside = False
            else:
                self._pace.done(is_crowded=bool(self._ready))
                self._leave(visit, Finding(visit.found, held_up=visit.held_up))
            self._answer(visit, answer)
        self._go_on()

    def _leave(self, visit: Visit, found: Finding) -> None:
        told, started = self._lanes.leave(visit, found)
        for other, verdict in told:
            if verdict is Verdict.TAKEN:
                other.taken = found.taken
                self._told.append(other)
            else:
                self._turn_away(other)
        self._ready.extend(started)
        if self._told and not self._is_telling:
            self._is_telling = True
            self.loop.call_soon(self._tell)

    def _tell(self) -> None:
        began = perf_counter()
        for _ in range(min(_TOLD_TOGETHER, len(self._told))):
            visit = self._told.popleft()
            answer = self._told_early(visit)
            if answer is not None:
                self._answer(visit, answer)
            else:
                # Who they are has to be found out first, which takes a while and may have to wait.
                self._strangers.append(visit)
        self._go_on()
        self._is_telling = bool(self._told)
        if self._is_telling:
            self.loop.call_later((perf_counter() - began) * _PAUSES, self._tell)

    def _told_early(self, visit: Visit) -> Answer | None:
        try:
            return self.application.early.taken(visit.request, visit.body, visit.taken)
        except Exception:  # whatever is wrong with this one, the others are told
            _log.exception("front.telling_failed")
            return self.application.early.broken(visit.request)

    def _send_out(self, visit: Visit) -> None:
        """It was in its lanes, and is too late."""
        self._turn_away(visit)
        self._leave(visit, NOTHING)

    def _turn_away(self, visit: Visit) -> None:
        self._answer(visit, self.application.early.busy(visit.request))
        self._turned_away += 1
        now = perf_counter()
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
            self._send_out(self._ready.popleft())
        self._go_on()
        self._look_later()
