"""Taking turns: of those who want the same seat one is inside, and so it is with the requests of one customer.

Whoever is inside may find out what the others came for: that the seats are taken, or that they are not to be had now.
Pure, and used by one thread.
"""

from collections import deque
from collections.abc import Iterator
from enum import Enum
from uuid import UUID

from attrs import define, field, frozen

from booking_server.gateway.pending_request import Lane, PendingRequest, ReservationIntent


class Verdict(Enum):
    """What those who wait are told."""

    TAKEN = "taken"
    TAKEN_IN_PART = "taken in part"
    BUSY = "busy"


@frozen
class Finding:
    """What one who was inside has found: seats with a live, committed claim, or that the seats were held up."""

    taken: frozenset[UUID] = frozenset()
    held_up: bool = False

    def verdict(self, finder: ReservationIntent, other: ReservationIntent) -> Verdict | None:
        """What it means for another wish.

        It is taken if everything it wants was looked at and something of it is taken: then all of that is known. It is
        taken in part if some of it is taken and the rest has to be looked at. It is held up if it wants everything that
        the finder wanted and did not get to see.
        """
        if other.event_id != finder.event_id:
            return None
        if other.seats & self.taken:
            return Verdict.TAKEN if other.seats <= finder.seats else Verdict.TAKEN_IN_PART
        if self.held_up and other.seats >= finder.seats:
            return Verdict.BUSY
        return None

    def concerns(self, finder: PendingRequest, other: PendingRequest) -> bool:
        """Whether the other visit wants any of the seats that are taken."""
        if finder.wish is None or other.wish is None or other.wish.event_id != finder.wish.event_id:
            return False
        return bool(other.wish.seats & self.taken)


NOTHING = Finding()


@define(eq=False)
class Lanes:
    """A visit is inside from the moment it enters or is started until it leaves; meanwhile its lanes are its own."""

    _inside: dict[Lane, PendingRequest] = field(factory=dict, init=False)
    _waiting: dict[Lane, deque[PendingRequest]] = field(factory=dict, init=False)

    @property
    def is_anybody_waiting(self) -> bool:
        """Whether there is."""
        return bool(self._waiting)

    def enter(self, visit: PendingRequest) -> bool:
        """True if it is inside now; else it waits in the first of its lanes that is not free."""
        for lane in visit.lanes:
            if lane in self._inside:
                self._waiting.setdefault(lane, deque()).append(visit)
                return False
        self._inside.update(dict.fromkeys(visit.lanes, visit))
        return True

    def leave(
        self, visit: PendingRequest, found: Finding
    ) -> tuple[list[tuple[PendingRequest, Verdict]], list[PendingRequest]]:
        """Those who are told, and those who are inside now in its place.

        Told are only those who had arrived before the visit began: what it found was so while they were here.
        """
        told: list[tuple[PendingRequest, Verdict]] = []
        started: list[PendingRequest] = []
        for lane in visit.lanes:
            del self._inside[lane]
        for lane in visit.lanes:
            waiting = self._waiting.pop(lane, None)
            if waiting:
                told += self._tell(visit, found, waiting)
                started += self._start(lane, waiting)
        return told, started

    def impatient(self, since: float) -> Iterator[PendingRequest]:
        """Those who have waited since before that moment; they wait no more."""
        for lane, waiting in list(self._waiting.items()):
            # Not only at its head: who needs several lanes goes from the one to the end of the other, again and again.
            for _ in range(len(waiting)):
                visit = waiting.popleft()
                if visit.arrived < since:
                    yield visit
                else:
                    waiting.append(visit)
            if not waiting:
                del self._waiting[lane]

    def _tell(
        self, finder: PendingRequest, found: Finding, waiting: deque[PendingRequest]
    ) -> list[tuple[PendingRequest, Verdict]]:
        told = []
        for _ in range(len(waiting)):
            other = waiting.popleft()
            verdict = None
            if finder.wish is not None and other.wish is not None and other.arrived < finder.began:
                verdict = found.verdict(finder.wish, other.wish)
                if verdict is Verdict.TAKEN_IN_PART and other.was_looked_at:
                    verdict = None
            if verdict is None:
                waiting.append(other)
            else:
                told.append((other, verdict))
        return told

    def _start(self, lane: Lane, waiting: deque[PendingRequest]) -> Iterator[PendingRequest]:
        """The first who can be inside is; those before it wait in another of their lanes, those after it here."""
        while waiting:
            visit = waiting.popleft()
            if self.enter(visit):
                yield visit
                break
        if waiting:
            self._waiting[lane] = waiting
