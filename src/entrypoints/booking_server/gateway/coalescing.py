"""Coalescing of reservations: of the requests for one seat one runs, and its followers share its result (ADR 0016).

A reservation needs a key for each of its seats and one for its customer. A key has one holder, the leader; the requests
that wait for the key are its followers. Nothing here waits or reads a clock; all of it runs on the event loop.
"""

from asyncio import Future
from collections import deque
from collections.abc import Hashable, Iterator, Mapping
from enum import Enum, IntEnum
from types import MappingProxyType
from typing import Any, Final, Self
from uuid import UUID

from attrs import define, field, frozen

from booking_api.gateway_reservations import GatewayReservation
from booking_api.gateway_responses import GatewayRequest, GatewayResponse
from booking_api.http.bodies import Body, CreateBooking, decode_create_booking
from booking_api.routes.bookings import BOOKINGS
from booking_api.routes.reservations import seats_found_taken
from booking_core import ServiceBusy
from booking_core.application.reserve_group import Outcome
from booking_core.domain.policies import MAX_SEATS

Key = tuple[str, Hashable]

_NO_ENTRIES: Final[Mapping[str, Any]] = MappingProxyType({})

_ONE_BOOKING: Final = f"{BOOKINGS}/"


@frozen(kw_only=True)
class ReservationIntent:
    """The seats that a reservation wants, the keys that it needs, and its decoded body.

    Seat ids are unique within their event only. A request with an idempotency key may repeat an earlier one: then its
    stored response decides, whatever has become of the seats.
    """

    body: Body[CreateBooking]
    event_id: UUID
    seats: frozenset[UUID]
    keys: tuple[Key, ...]
    has_idempotency_key: bool

    @classmethod
    def of(cls, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Self | None:
        """Read the intent of a request; None for another route and for a body that the route will reject.

        The customer's key is the token as it was sent: the token is not verified here.
        """
        if not is_reservation(method, path):
            return None
        decoded = decode_create_booking(body)
        if decoded is None:
            return None
        event_id, seats = decoded.fields.event_id, frozenset(decoded.fields.seat_ids)
        keys: list[Key] = []
        if (
            len(decoded.fields.seat_ids) <= MAX_SEATS
        ):  # else the route rejects it: it neither waits nor makes others wait
            keys += [("seat", (event_id, seat_id)) for seat_id in seats]
            # Blanks before a token are not part of it, and the scheme is spelled in many ways.
            keys.append(("user", headers.get("authorization", "").rpartition(" ")[2]))
        return cls(
            body=decoded,
            event_id=event_id,
            seats=seats,
            keys=tuple(keys),
            has_idempotency_key="idempotency-key" in headers,
        )


def is_reservation(method: str, path: str) -> bool:
    """Whether the route of this request is the one that reserves."""
    return method == "POST" and f"/{path.lstrip('/')}" == BOOKINGS


class FollowerDecision(Enum):
    """What a leader's result decides for one follower."""

    REJECT_AS_TAKEN = "some of its seats are taken, and the leader has seen all of them"
    QUERY_OTHER_SEATS = "some of its seats are taken, and the leader has not seen all of them"
    REJECT_AS_BUSY = "the leader could not lock the seats in time"


@frozen
class LeaderResult:
    """What a leader has seen: seats with a live, committed claim, or that it could not lock its seats in time."""

    taken: frozenset[UUID] = frozenset()
    is_busy: bool = False

    @classmethod
    def of(cls, outcome: Outcome) -> Self:
        """What the outcome of a reservation says to its followers."""
        return cls(seats_found_taken(outcome), is_busy=isinstance(outcome, ServiceBusy))

    def decide(self, leader: ReservationIntent, follower: ReservationIntent) -> FollowerDecision | None:
        """Decide for a follower; None if the result says nothing about its seats."""
        if follower.event_id != leader.event_id:
            return None
        if follower.seats & self.taken:
            is_complete = follower.seats <= leader.seats
            return FollowerDecision.REJECT_AS_TAKEN if is_complete else FollowerDecision.QUERY_OTHER_SEATS
        if self.is_busy and follower.seats >= leader.seats:
            return FollowerDecision.REJECT_AS_BUSY
        return None


class Priority(IntEnum):
    """Which of the queued requests starts first: the lowest number."""

    ONE_BOOKING = 0
    """Reads one booking or ends its hold: cheap, and a hold that ends makes seats available."""
    WRITE = 1
    """Reservations."""
    LIST = 2
    """Lists and seat maps: they cost most, and a client can repeat them without harm."""

    @classmethod
    def of(cls, method: str, path: str) -> "Priority":
        """Return the priority of a request."""
        if path.startswith(_ONE_BOOKING):
            return cls.ONE_BOOKING
        return cls.LIST if method in ("GET", "HEAD") else cls.WRITE


@define(eq=False)
class PendingRequest:
    """A request whose body has arrived and that has no response yet; `scope` is granian's description of it.

    `started` is 0 until the application has the request. `known_taken` are seats that a leader or a query has found
    taken since the request arrived. `was_queried`: such a query has been made, so that no second one is needed.
    `reservation` is set if the request can be a member of a group.
    """

    request: GatewayRequest
    scope: Any
    body: bytes
    intent: ReservationIntent | None = None
    priority: Priority = Priority.WRITE
    is_reservation: bool = False
    started: float = 0.0
    known_taken: frozenset[UUID] = frozenset()
    was_queried: bool = False
    reservation: GatewayReservation | None = None
    environ: Mapping[str, Any] = _NO_ENTRIES
    result: LeaderResult = LeaderResult()
    response: "Future[GatewayResponse]" = field(init=False, repr=False)

    @property
    def keys(self) -> tuple[Key, ...]:
        """The keys that the request needs; none unless it is a reservation."""
        return self.intent.keys if self.intent is not None else ()

    def respond(self, response: GatewayResponse) -> None:
        """Complete `response`, unless the client has disconnected, which cancels it."""
        if not self.response.done():
            self.response.set_result(response)

    def has_seen_taken(self, other: "PendingRequest") -> bool:
        """Whether the result of this request says that a seat of the other one is taken."""
        if self.intent is None or other.intent is None or other.intent.event_id != self.intent.event_id:
            return False
        return bool(other.intent.seats & self.result.taken)


@define(eq=False)
class Coalescer:
    """Grants keys to requests in the order of arrival. A request holds all of its keys or none."""

    followers: dict[Key, deque[PendingRequest]] = field(factory=dict, init=False)
    """Requests that wait, each at one of its keys."""
    _leaders: dict[Key, PendingRequest] = field(factory=dict, init=False)

    def acquire(self, pending: PendingRequest) -> bool:
        """Take the request's keys; False if one is held, and then the request follows the holder of that key."""
        for key in pending.keys:
            if key in self._leaders:
                self.followers.setdefault(key, deque()).append(pending)
                return False
        self._leaders.update(dict.fromkeys(pending.keys, pending))
        return True

    def release(
        self, leader: PendingRequest
    ) -> tuple[list[tuple[PendingRequest, FollowerDecision]], list[PendingRequest]]:
        """Give the leader's keys back: returns the followers it has decided for, and those that hold their keys now.

        A result decides for followers that arrived before the leader started: it was true while they waited.
        """
        decided: list[tuple[PendingRequest, FollowerDecision]] = []
        promoted: list[PendingRequest] = []
        for key in leader.keys:
            del self._leaders[key]
        for key in leader.keys:
            waiting = self.followers.pop(key, None)
            if waiting:
                decided += _decide(leader, waiting)
                promoted += self._promote(key, waiting)
        return decided, promoted

    def expired(self, arrived_before: float) -> Iterator[PendingRequest]:
        """Remove and return the followers that arrived before this moment."""
        for key, waiting in list(self.followers.items()):
            # Not only at the head: a request that needs several keys joins the end of the next queue, again and again.
            for _ in range(len(waiting)):
                pending = waiting.popleft()
                if pending.request.arrived < arrived_before:
                    yield pending
                else:
                    waiting.append(pending)
            if not waiting:
                del self.followers[key]

    def _promote(self, key: Key, waiting: deque[PendingRequest]) -> Iterator[PendingRequest]:
        """Let the first follower lead that gets all its keys; those before it go on to wait for another key."""
        while waiting:
            pending = waiting.popleft()
            if self.acquire(pending):
                yield pending
                break
        if waiting:
            self.followers[key] = waiting


def _decide(
    leader: PendingRequest, waiting: deque[PendingRequest]
) -> Iterator[tuple[PendingRequest, FollowerDecision]]:
    """Remove and return the followers that the leader's result decides for; the others keep their order."""
    for _ in range(len(waiting)):
        follower = waiting.popleft()
        decision = None
        if leader.intent is not None and follower.intent is not None and follower.request.arrived < leader.started:
            decision = leader.result.decide(leader.intent, follower.intent)
        if decision is None or (decision is FollowerDecision.QUERY_OTHER_SEATS and follower.was_queried):
            waiting.append(follower)
        else:
            yield follower, decision
