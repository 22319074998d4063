"""Telling a crowd that what it wants is taken, without those who want something else noticing.

Most are told by the event loop itself. For some a look is needed, in a thread: whoever has an idempotency key may have
been answered before, and whoever wants other seats besides has to hear of those too, which the store knows; and a token
that is new has to be verified. Whose matter is another after that look goes through the application. Of these threads
there is one at a time, and whoever it does not get to in time is told to come again.
"""

from asyncio import AbstractEventLoop
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from time import perf_counter, thread_time
from typing import Final
from uuid import UUID

import structlog
from attrs import define, field, frozen

from booking_api.gateway_responses import Follower
from booking_core import SeatStatus, ServiceBusy
from booking_server.gateway.pending_request import Answer, PendingRequest
from booking_server.gateway.wsgi import Application, answer_of

_log = structlog.get_logger(__name__)

# A crowd is told in small groups with pauses, so many times as long, in which everything else happens: whoever is told
# comes back at once, and without pauses the loop would do nothing else.
_TOLD_TOGETHER: Final = 8
_PAUSES: Final = 3.0
# A thread takes turns with the loop by itself, but a crowd would keep it busy all the time.
_PAUSES_OF_THREAD: Final = 1.0
# They share one question to the store.
_LOOKED_AT_TOGETHER: Final = 32
NOT_LOOKED_AT: Final[frozenset[UUID]] = frozenset()
"""Of somebody who wants seats that are taken, but not all of whose seats have been looked at."""


@frozen(eq=False)
class Group:
    """Some who are told by one thread: `answers` is called there, and gives None for whom it could not tell."""

    visits: Sequence[PendingRequest]
    answers: Callable[[Sequence[PendingRequest]], "list[Answer | None]"]


@define(eq=False)
class FollowerNotifier:
    """Those who are to be told, each once. Used by the thread of the event loop, but for what a Group does.

    `answer` is called with what somebody is told; `should_continue` when it may be time for the next group; `go_back`
    with whoever is not to be told after all, since a look found none of the seats taken.
    """

    application: Application
    loop: AbstractEventLoop
    answer: Callable[[PendingRequest, Answer], None]
    should_continue: Callable[[], None]
    go_back: Callable[[PendingRequest], None]
    _known: deque[PendingRequest] = field(factory=deque, init=False)
    _to_look_at: deque[PendingRequest] = field(factory=deque, init=False)
    _not_told: deque[PendingRequest] = field(factory=deque, init=False)
    _is_telling: bool = field(default=False, init=False)
    _is_group_under_way: bool = field(default=False, init=False)

    @property
    def is_anybody_waiting(self) -> bool:
        """Whether there is."""
        return bool(self._known or self._to_look_at or self._not_told)

    @property
    def has_a_crowd(self) -> bool:
        """Whether there are more to be told than are told at once."""
        return len(self._known) + len(self._to_look_at) > _TOLD_TOGETHER

    def add(self, visit: PendingRequest, taken: frozenset[UUID]) -> None:
        """One more, and which seats are taken; or NOT_LOOKED_AT."""
        assert visit.wish is not None  # noqa: S101 - nobody else is told
        visit.taken = taken
        if visit.wish.has_key or taken is NOT_LOOKED_AT:
            self._to_look_at.append(visit)
        else:
            self._known.append(visit)
            if not self._is_telling:
                self._is_telling = True
                self.loop.call_soon(self._tell)

    def next_group(self) -> Group | None:
        """The next for whom a thread is needed, if there are any and it is time; tell `told` when it is done."""
        if self._is_group_under_way or not (self._to_look_at or self._not_told):
            return None
        self._is_group_under_way = True
        if self._not_told:
            return Group(_first(self._not_told, _TOLD_TOGETHER), self._by_the_application)
        return Group(_first(self._to_look_at, _LOOKED_AT_TOGETHER), self._after_a_look)

    def told(self, group: Group, answers: "Sequence[Answer | None]", took: float) -> None:
        """The outcome of a group, and the CPU seconds that it has taken."""
        for visit, answer in zip(group.visits, answers, strict=True):
            if answer is not None:
                self.answer(visit, answer)
            elif visit.taken:
                self._not_told.append(visit)
            else:
                self.go_back(visit)
        self.loop.call_later(took * _PAUSES_OF_THREAD, self._resume)

    def impatient(self, since: float) -> Iterator[PendingRequest]:
        """Those who have waited for a group since before that moment; they wait no more."""
        for waiting in (self._to_look_at, self._not_told):
            if any(visit.arrived < since for visit in waiting):
                everybody = list(waiting)
                waiting.clear()
                waiting.extend(visit for visit in everybody if visit.arrived >= since)
                yield from (visit for visit in everybody if visit.arrived < since)

    def _resume(self) -> None:
        self._is_group_under_way = False
        self.should_continue()

    def _tell(self) -> None:
        began = perf_counter()
        for visit in _first(self._known, _TOLD_TOGETHER):
            answer = self._told_early(visit)
            if answer is not None:
                self.answer(visit, answer)
            else:
                # Who they are has to be found out first, which takes a while and may have to wait.
                self._to_look_at.append(visit)
        self.should_continue()
        self._is_telling = bool(self._known)
        if self._is_telling:
            self.loop.call_later((perf_counter() - began) * _PAUSES, self._tell)

    def _told_early(self, visit: PendingRequest) -> Answer | None:
        try:
            return self.application.gateway_responses.taken(_follower(visit))
        except Exception:  # whatever is wrong with this one, the others are told
            _log.exception("front.telling_failed")
            return self.application.gateway_responses.broken(visit.request)

    def _after_a_look(self, visits: Sequence[PendingRequest]) -> "list[Answer | None]":
        """In a thread."""
        early = self.application.gateway_responses
        try:
            self._look_at_seats([visit for visit in visits if not visit.taken])
            told = [_follower(visit) for visit in visits if visit.taken]
            answers = iter(early.taken_after_queries(told))
            return [next(answers) if visit.taken else None for visit in visits]
        except ServiceBusy:
            return [early.busy(visit.request) for visit in visits]
        except Exception:
            _log.exception("front.telling_failed")
            return [early.broken(visit.request) for visit in visits]

    def _look_at_seats(self, visits: Sequence[PendingRequest]) -> None:
        """In a thread: one look for those who want seats of the same event."""
        by_event: dict[UUID, dict[PendingRequest, frozenset[UUID]]] = {}
        for visit in visits:
            assert visit.wish is not None  # noqa: S101 - nobody else is told
            by_event.setdefault(visit.wish.event_id, {})[visit] = visit.wish.seats
        for event_id, wanted in by_event.items():
            statuses = self.application.gateway_responses.seat_statuses(event_id, frozenset().union(*wanted.values()))
            taken = {seat_id for seat_id, status in statuses.items() if status is not SeatStatus.AVAILABLE}
            for visit, seats in wanted.items():
                visit.was_looked_at = True
                # Of a seat that does not exist the application will tell, whatever has become of the others.
                if seats <= statuses.keys():
                    visit.taken = seats & taken

    def _by_the_application(self, visits: Sequence[PendingRequest]) -> "list[Answer | None]":
        return [answer_of(self.application, visit) for visit in visits]


def _follower(visit: PendingRequest) -> Follower:
    assert visit.reservation is not None  # noqa: S101 - nobody else is told
    return Follower(visit.request, visit.reservation, visit.taken)


def tell(group: Group) -> "tuple[list[Answer | None], float]":
    """In a thread of the crew: the answers, and the CPU seconds that they took."""
    began = thread_time()
    return group.answers(group.visits), thread_time() - began


def _first(waiting: deque[PendingRequest], most: int) -> list[PendingRequest]:
    return [waiting.popleft() for _ in range(min(most, len(waiting)))]
