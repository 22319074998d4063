"""A group is decided as if its members came one after the other; what is not known of a member defers it."""

from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

import pytest
from attrs import define, evolve, field, frozen
from hypothesis import given
from hypothesis import strategies as st

from booking_core.domain.booking import Booking
from booking_core.domain.commands import Reserve
from booking_core.domain.errors import (
    EventNotOnSale,
    IdempotencyKeyReused,
    PendingLimitReached,
    Refusal,
    SeatAlreadyReserved,
)
from booking_core.domain.group import Decision, Deferral, GroupMember, MemberFacts, decide_group, deferral_of
from booking_core.domain.policies import refusal_of
from booking_core.domain.reservation import ReservationFacts, StoredResponse
from booking_core.domain.values import SaleStatus, Seat, TicketedEvent
from tests.support.builders import TERMS, at, event

EVENTS: Final = tuple(UUID(int=1000 + n) for n in range(3))
SEATS: Final = tuple(Seat(seat_id=UUID(int=n), row="A", number=n, price=Decimal(10 + n)) for n in range(1, 6))
USERS: Final = ("ada", "grace", "alan")
NOW: Final = at(0)


@define
class World:
    """What is committed: the seats that are taken, the holds of each user, the events; and the locks of others."""

    events: dict[UUID, TicketedEvent]
    closed: set[UUID]
    taken: set[tuple[UUID, UUID]]
    holds: dict[str, int]
    locked_users: set[str] = field(factory=set)
    locked_seats: set[tuple[UUID, UUID]] = field(factory=set)

    def facts(self, command: Reserve) -> dict[str, Any]:
        wanted = command.seat_ids
        known = {seat.seat_id: seat for seat in SEATS if seat.seat_id in wanted}
        return {
            "now": NOW,
            "event": self.events.get(command.event_id),
            "closed": command.event_id in self.closed,
            "wanted": wanted,
            "seats": known,
            "taken": frozenset(seat_id for seat_id in wanted if (command.event_id, seat_id) in self.taken),
            "pending": self.holds.get(command.user_id, 0),
        }

    def member(self, command: Reserve) -> GroupMember:
        """The member as a store finds it: a seat whose lock another transaction holds is left out."""
        facts = self.facts(command)
        user_is_locked = command.user_id not in self.locked_users
        blocked = bool(facts["taken"])
        seats = {
            seat_id: seat
            for seat_id, seat in facts["seats"].items()
            if user_is_locked and not blocked and (command.event_id, seat_id) not in self.locked_seats
        }
        known = frozenset(facts["seats"]) if blocked else None
        return GroupMember(
            command=command, facts=MemberFacts(**facts | {"seats": seats}, known=known, user_is_locked=user_is_locked)
        )

    def reserve(self, command: Reserve) -> Booking | Refusal:
        """One reservation by itself, written at once."""
        facts = ReservationFacts(**self.facts(command))
        if refusal := refusal_of(facts):
            return refusal
        assert facts.event is not None
        booking = Booking.reserve(
            user_id=command.user_id,
            event=facts.event,
            seats=tuple(facts.seats[seat_id] for seat_id in command.seat_ids),
            now=NOW,
            terms=TERMS,
            cause=command.cause,
        )
        self.taken |= {(command.event_id, seat_id) for seat_id in command.seat_ids}
        self.holds[command.user_id] = self.holds.get(command.user_id, 0) + 1
        return booking


PLACES: Final = st.tuples(st.sampled_from(EVENTS), st.sampled_from([seat.seat_id for seat in SEATS]))


@st.composite
def worlds(draw: st.DrawFn) -> World:
    events = {
        event_id: evolve(
            event(
                status=draw(st.sampled_from([SaleStatus.ON_SALE] * 4 + [SaleStatus.DRAFT])),
                starts_at=NOW + timedelta(days=draw(st.sampled_from([1, 1, 1, 0]))),
                currency=draw(st.sampled_from(["USD", "JPY"])),
            ),
            event_id=event_id,
        )
        for event_id in EVENTS[: draw(st.integers(2, 3))]
    }
    return World(
        events=events,
        closed=set(draw(st.lists(st.sampled_from(EVENTS), max_size=1))),
        taken=draw(st.sets(PLACES, max_size=3)),
        holds=draw(st.dictionaries(st.sampled_from(USERS), st.integers(0, 3))),
        locked_users=draw(st.sets(st.sampled_from(USERS), max_size=1)),
        locked_seats=draw(st.sets(PLACES, max_size=3)),
    )


@st.composite
def commands(draw: st.DrawFn) -> Reserve:
    seat_ids = [*(seat.seat_id for seat in SEATS), UUID(int=99)]
    return Reserve(
        user_id=draw(st.sampled_from(USERS)),
        event_id=draw(st.sampled_from(EVENTS)),
        seat_ids=tuple(draw(st.sets(st.sampled_from(seat_ids), min_size=1, max_size=3))),
        correlation_id="c",
    )


def said(decision: Decision) -> Any:
    """What the caller gets to know, without ids that are drawn at random."""
    if isinstance(decision, Booking):
        return decision.user_id, decision.event_id, decision.seats, decision.total, decision.expires_at
    return (type(decision), dict(decision.details)) if isinstance(decision, Refusal) else decision


@given(world=worlds(), wanted=st.lists(commands(), max_size=12))
def test_a_group_equals_its_members_one_by_one_with_the_deferred_last(world: World, wanted: Sequence[Reserve]) -> None:
    decisions = decide_group([world.member(command) for command in wanted], TERMS)

    one_by_one = evolve(world, taken=set(world.taken), holds=dict(world.holds))
    for command, decision in zip(wanted, decisions, strict=True):
        if not isinstance(decision, Deferral):
            assert said(decision) == said(one_by_one.reserve(command))


@given(world=worlds(), wanted=st.lists(commands(), max_size=12))
def test_nothing_is_deferred_without_a_reason(world: World, wanted: Sequence[Reserve]) -> None:
    for command, decision in zip(
        wanted, decide_group([world.member(command) for command in wanted], TERMS), strict=True
    ):
        locked = {(command.event_id, seat_id) for seat_id in command.seat_ids} & world.locked_seats
        unknown = command.event_id not in world.events or UUID(int=99) in command.seat_ids
        if isinstance(decision, Deferral):
            assert locked or unknown or command.user_id in world.locked_users


@given(world=worlds(), wanted=st.lists(commands(), max_size=12))
def test_no_seat_is_sold_twice_and_no_limit_is_passed(world: World, wanted: Sequence[Reserve]) -> None:
    decisions = decide_group([world.member(command) for command in wanted], TERMS)

    made = [decision for decision in decisions if isinstance(decision, Booking)]
    places = [(booking.event_id, seat_id) for booking in made for seat_id in booking.seat_ids]
    assert len(set(places)) == len(places)
    assert not set(places) & (world.taken | world.locked_seats)
    for user in USERS:
        mine = [booking for booking in made if booking.user_id == user]
        assert not mine or (len(mine) + world.holds.get(user, 0) <= 3 and user not in world.locked_users)


def command_of(*numbers: int, user: str = "ada") -> Reserve:
    seat_ids = tuple(SEATS[number].seat_id for number in numbers)
    return Reserve(user_id=user, event_id=EVENTS[0], seat_ids=seat_ids, correlation_id="c")


def world_of(**more: Any) -> World:
    given: dict[str, Any] = {"closed": set(), "taken": set(), "holds": {}}
    return World(events={EVENTS[0]: evolve(event(), event_id=EVENTS[0])}, **given | more)


def found(world: World, command: Reserve, **changes: Any) -> MemberFacts:
    facts = world.member(command).facts
    assert isinstance(facts, MemberFacts)
    return evolve(facts, **changes)


def test_each_member_sees_what_earlier_ones_took() -> None:
    world = world_of(holds={"ada": 1})
    wanted = [command_of(0), command_of(0, 1, user="grace"), command_of(1), command_of(2), command_of(1, user="alan")]

    decisions = decide_group([world.member(command) for command in wanted], TERMS)

    assert [type(decision) for decision in decisions] == [
        Booking,
        SeatAlreadyReserved,
        Booking,
        PendingLimitReached,
        SeatAlreadyReserved,
    ]
    assert said(decisions[1])[1] == {"unavailableSeatIds": [str(SEATS[0].seat_id)]}


def test_a_deferred_member_takes_nothing() -> None:
    world = world_of(locked_users={"grace"}, holds={"ada": 2})
    wanted = [command_of(0, user="grace"), command_of(0)]

    first, second = decide_group([world.member(command) for command in wanted], TERMS)

    assert first is Deferral.USER_LOCKED
    assert isinstance(second, Booking)


@pytest.mark.parametrize("outcome", [StoredResponse(text="earlier"), IdempotencyKeyReused(), Deferral.IDEMPOTENCY_KEY])
def test_an_outcome_found_by_the_store_stands(outcome: StoredResponse | Refusal | Deferral) -> None:
    members = [GroupMember(command=command_of(0), facts=outcome), world_of().member(command_of(0, user="grace"))]

    first, second = decide_group(members, TERMS)

    assert first is outcome
    assert isinstance(second, Booking)


@frozen
class Case:
    """Facts that do not decide a member, or do."""

    changes: dict[str, Any]
    deferral: Deferral | None


SEAT_0: Final = frozenset([SEATS[0].seat_id])


@pytest.mark.parametrize(
    "case",
    [
        Case({}, None),
        Case({"event": None}, Deferral.EVENT_UNKNOWN),
        Case({"event": None, "taken": SEAT_0}, Deferral.EVENT_UNKNOWN),
        Case({"closed": True, "seats": {}, "user_is_locked": False}, None),
        Case({"seats": {}}, Deferral.SEAT_LOCKED_OR_UNKNOWN),
        Case({"user_is_locked": False}, Deferral.USER_LOCKED),
        Case({"user_is_locked": False, "seats": {}}, Deferral.USER_LOCKED),
        Case({"pending": 3, "user_is_locked": False}, Deferral.USER_LOCKED),
        Case({"overdue_seats": SEAT_0}, Deferral.OVERDUE_HOLD),
        Case({"taken": SEAT_0, "known": SEAT_0, "seats": {}, "user_is_locked": False}, None),
        Case({"taken": SEAT_0, "known": SEAT_0, "seats": {}, "overdue_seats": SEAT_0}, None),
        Case({"taken": SEAT_0, "known": frozenset(), "seats": {}}, Deferral.SEAT_LOCKED_OR_UNKNOWN),
        # blocked when the group began, and the claim is gone since
        Case({"known": SEAT_0, "seats": {}}, Deferral.SEAT_LOCKED_OR_UNKNOWN),
    ],
)
def test_what_is_not_known_defers(case: Case) -> None:
    assert deferral_of(found(world_of(), command_of(0), **case.changes)) is case.deferral


def test_an_event_that_is_not_on_sale_is_refused_without_locks() -> None:
    world = world_of(locked_users={"ada"}, closed={EVENTS[0]})

    [decision] = decide_group([world.member(command_of(0))], TERMS)

    assert isinstance(decision, EventNotOnSale)
