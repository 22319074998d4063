"""Turns: one inside for each lane, nobody forgotten, and nobody told what was not so while they were here."""

from collections.abc import Iterable
from itertools import count
from uuid import UUID

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from booking_api.gateway_responses import GatewayRequest
from booking_server.gateway.keys import NOTHING, Finding, Lanes, Verdict
from booking_server.gateway.pending_request import PendingRequest, ReservationIntent

EVENT = UUID(int=99)
_USERS = count()


def seat(number: int) -> UUID:
    return UUID(int=number)


def visit(*seats: int, user: str = "", arrived: float = 0.0, keyed: bool = False) -> PendingRequest:
    lanes = [("seat", (EVENT, seat(number))) for number in seats]
    user = user or f"user-{next(_USERS)}"
    wish = ReservationIntent(frozenset(map(seat, seats)), (*lanes, ("user", user)), keyed, EVENT)
    return PendingRequest(GatewayRequest("POST", {}, arrived), None, b"", wish=wish)


def taken(*seats: int) -> Finding:
    return Finding(frozenset(map(seat, seats)))


def test_others_are_not_in_the_way() -> None:
    lanes = Lanes()

    assert lanes.enter(visit(1, 2))
    assert lanes.enter(visit(3))
    assert lanes.enter(PendingRequest(GatewayRequest("GET", {}, 0.0), None, b""))
    assert not lanes.is_anybody_waiting


@pytest.mark.parametrize("second", [visit(2, 3, user="bob"), visit(9, user="ann")])
def test_the_same_seat_or_the_same_customer_waits(second: PendingRequest) -> None:
    lanes = Lanes()
    first = visit(1, 2, user="ann")
    lanes.enter(first)

    assert not lanes.enter(second)
    assert lanes.leave(first, NOTHING) == ([], [second])
    assert not lanes.is_anybody_waiting
    assert lanes.leave(second, NOTHING) == ([], [])


def test_a_finding_concerns_those_who_want_one_of_its_seats() -> None:
    finder, other = visit(1), visit(1, 2)
    assert other.wish is not None
    elsewhere = visit(1)
    elsewhere.wish = evolve(other.wish, event_id=UUID(int=98))

    assert taken(1).concerns(finder, other)
    assert not taken(1).concerns(finder, visit(2))
    assert not taken(1).concerns(finder, elsewhere)
    assert not taken(1).concerns(finder, PendingRequest(GatewayRequest("GET", {}, 0.0), None, b""))
    assert not NOTHING.concerns(finder, other)


def test_who_came_first_goes_first() -> None:
    lanes = Lanes()
    first, second, third = (visit(1, user=name) for name in "abc")
    for each in (first, second, third):
        lanes.enter(each)

    assert lanes.leave(first, NOTHING) == ([], [second])
    assert lanes.leave(second, NOTHING) == ([], [third])


def test_who_needs_another_lane_too_waits_there_and_lets_the_next_in() -> None:
    lanes = Lanes()
    one, two = visit(1), visit(2)
    both, later = visit(1, 2), visit(1)
    assert [lanes.enter(each) for each in (one, two, both, later)] == [True, True, False, False]

    assert lanes.leave(one, NOTHING) == ([], [later])
    assert lanes.leave(two, NOTHING) == ([], [])
    assert lanes.leave(later, NOTHING) == ([], [both])


def _told(
    finder: PendingRequest, others: Iterable[PendingRequest], found: Finding, began: float
) -> list[Verdict | None]:
    lanes = Lanes()
    lanes.enter(finder)
    finder.began = began
    others = list(others)
    for each in others:
        assert not lanes.enter(each)
    told, _ = lanes.leave(finder, found)
    verdicts = {id(other): verdict for other, verdict in told}
    return [verdicts.get(id(each)) for each in others]


def test_one_finds_out_for_all_who_had_come_before_it_began() -> None:
    waiting = [visit(1, arrived=1.0), visit(1, arrived=2.0), visit(1, arrived=2.5), visit(1, arrived=9.0)]

    assert _told(visit(1), waiting, taken(1), began=2.5) == [Verdict.TAKEN, Verdict.TAKEN, None, None]


def test_whose_wish_was_not_looked_at_as_a_whole_is_told_after_a_look_at_the_rest() -> None:
    looked_at = visit(1, 3)
    looked_at.was_looked_at = True
    waiting = [visit(1), visit(1, 2), visit(2), visit(1, 3), visit(2, 3), looked_at, visit(1, 2, keyed=True)]

    told = _told(visit(1, 2), waiting, taken(1), began=1.0)

    whole, part = Verdict.TAKEN, Verdict.TAKEN_IN_PART
    assert told == [whole, whole, None, part, None, None, whole]


def test_who_wants_all_that_was_held_up_is_told_to_come_later() -> None:
    waiting = [visit(1, 2), visit(1, 2, 3, keyed=True), visit(1), visit(2, 4)]

    told = _told(visit(1, 2), waiting, Finding(held_up=True), began=1.0)

    assert told == [Verdict.BUSY, Verdict.BUSY, None, None]


def test_the_impatient_leave_and_the_others_stay() -> None:
    lanes = Lanes()
    first = visit(1)
    lanes.enter(first)
    old, young = visit(1, arrived=1.0), visit(1, arrived=5.0)
    for each in (old, young):
        lanes.enter(each)

    assert list(lanes.impatient(2.0)) == [old]
    assert lanes.leave(first, NOTHING) == ([], [young])
    assert list(lanes.impatient(2.0)) == []


def test_who_is_impatient_leaves_from_behind_the_patient_too() -> None:
    """Whoever needs two lanes comes to the end of the one from the other, behind those who came later."""
    lanes = Lanes()
    one, two = visit(1), visit(2)
    both, young = visit(1, 2, arrived=1.0), visit(2, arrived=5.0)
    assert [lanes.enter(each) for each in (one, two, both, young)] == [True, True, False, False]
    assert lanes.leave(one, NOTHING) == ([], [])

    assert list(lanes.impatient(2.0)) == [both]
    assert lanes.leave(two, NOTHING) == ([], [young])


_WISHES = st.lists(
    st.tuples(st.sets(st.integers(1, 4), min_size=1, max_size=3), st.sampled_from("abc")), min_size=1, max_size=12
)


@given(wishes=_WISHES, data=st.data())
def test_nobody_is_forgotten_and_no_lane_is_shared(wishes: list[tuple[set[int], str]], data: st.DataObject) -> None:
    lanes = Lanes()
    visits = [visit(*seats, user=user, arrived=float(number)) for number, (seats, user) in enumerate(wishes)]
    inside: list[PendingRequest] = []
    done: list[PendingRequest] = []
    coming = list(visits)
    while coming or inside:
        if coming and (not inside or data.draw(st.booleans())):
            entering = coming.pop(0)
            if lanes.enter(entering):
                inside.append(entering)
        else:
            leaving = inside.pop(data.draw(st.integers(0, len(inside) - 1)))
            leaving.began = data.draw(st.floats(0, 12))
            assert leaving.wish is not None
            found = data.draw(st.sampled_from([NOTHING, Finding(leaving.wish.seats), Finding(held_up=True)]))
            told, started = lanes.leave(leaving, found)
            done += [leaving, *(other for other, _ in told)]
            inside += started
        held = [lane for each in inside for lane in each.lanes]
        assert len(held) == len(set(held))

    assert sorted(map(id, done)) == sorted(map(id, visits))
    assert not lanes.is_anybody_waiting


def test_what_was_found_at_one_event_says_nothing_of_another() -> None:
    """Two events may name a seat alike; one customer's requests for both meet in the customer's lane."""
    here, there = (visit(1, user="one", arrived=when) for when in (0.0, 1.0))
    assert there.wish is not None
    there.wish = evolve(there.wish, event_id=UUID(int=98), lanes=(("seat", (UUID(int=98), seat(1))), ("user", "one")))
    lanes = Lanes()
    assert lanes.enter(here)
    assert not lanes.enter(there)
    here.began = 2.0

    told, started = lanes.leave(here, taken(1))

    assert (told, started) == ([], [there])
