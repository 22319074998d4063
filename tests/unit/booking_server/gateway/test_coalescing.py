"""Keys, leaders and followers: one leader for each key, no request lost, and no decision from an outdated result."""

import json
from collections.abc import Iterable
from itertools import count
from uuid import UUID

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from booking_api.gateway_responses import GatewayRequest
from booking_api.http.bodies import Body, CreateBooking
from booking_core.domain.policies import MAX_SEATS
from booking_server.gateway.coalescing import (
    Coalescer,
    FollowerDecision,
    LeaderResult,
    PendingRequest,
    ReservationIntent,
)

EVENT = UUID(int=99)
OTHER_EVENT = UUID(int=98)
NOTHING_SEEN = LeaderResult()
_USERS = count()


def seat(number: int) -> UUID:
    return UUID(int=number)


def reservation(*seats: int, user: str = "", arrived: float = 0.0, keyed: bool = False) -> PendingRequest:
    keys = [("seat", (EVENT, seat(number))) for number in seats]
    user = user or f"user-{next(_USERS)}"
    intent = ReservationIntent(
        body=Body(CreateBooking(EVENT, [seat(number) for number in seats]), b""),
        event_id=EVENT,
        seats=frozenset(map(seat, seats)),
        keys=(*keys, ("user", user)),
        has_idempotency_key=keyed,
    )
    return PendingRequest(GatewayRequest("POST", {}, arrived), None, b"", intent)


def other_request() -> PendingRequest:
    return PendingRequest(GatewayRequest("GET", {}, 0.0), None, b"")


def taken(*seats: int) -> LeaderResult:
    return LeaderResult(frozenset(map(seat, seats)))


def release(
    coalescer: Coalescer, leader: PendingRequest, result: LeaderResult = NOTHING_SEEN
) -> tuple[list[tuple[PendingRequest, FollowerDecision]], list[PendingRequest]]:
    leader.result = result
    return coalescer.release(leader)


def test_requests_for_different_seats_do_not_wait() -> None:
    coalescer = Coalescer()

    assert coalescer.acquire(reservation(1, 2))
    assert coalescer.acquire(reservation(3))
    assert coalescer.acquire(other_request())
    assert not coalescer.followers


@pytest.mark.parametrize("second", [reservation(2, 3, user="bob"), reservation(9, user="ann")])
def test_a_request_for_the_same_seat_or_customer_waits(second: PendingRequest) -> None:
    coalescer = Coalescer()
    first = reservation(1, 2, user="ann")
    coalescer.acquire(first)

    assert not coalescer.acquire(second)
    assert release(coalescer, first) == ([], [second])
    assert not coalescer.followers
    assert release(coalescer, second) == ([], [])


def test_has_seen_taken_is_about_seats_of_the_same_event() -> None:
    leader, other = reservation(1), reservation(1, 2)
    assert other.intent is not None
    elsewhere = reservation(1)
    elsewhere.intent = evolve(other.intent, event_id=OTHER_EVENT)

    leader.result = taken(1)
    assert leader.has_seen_taken(other)
    assert not leader.has_seen_taken(reservation(2))
    assert not leader.has_seen_taken(elsewhere)
    assert not leader.has_seen_taken(other_request())
    leader.result = NOTHING_SEEN
    assert not leader.has_seen_taken(other)


def test_followers_lead_in_the_order_of_arrival() -> None:
    coalescer = Coalescer()
    first, second, third = (reservation(1, user=name) for name in "abc")
    for each in (first, second, third):
        coalescer.acquire(each)

    assert release(coalescer, first) == ([], [second])
    assert release(coalescer, second) == ([], [third])


def test_a_follower_that_needs_another_key_lets_the_next_one_lead() -> None:
    coalescer = Coalescer()
    one, two = reservation(1), reservation(2)
    both, later = reservation(1, 2), reservation(1)
    assert [coalescer.acquire(each) for each in (one, two, both, later)] == [True, True, False, False]

    assert release(coalescer, one) == ([], [later])
    assert release(coalescer, two) == ([], [])
    assert release(coalescer, later) == ([], [both])


def _decisions(
    leader: PendingRequest, followers: Iterable[PendingRequest], result: LeaderResult, started: float
) -> list[FollowerDecision | None]:
    coalescer = Coalescer()
    coalescer.acquire(leader)
    leader.started = started
    followers = list(followers)
    for each in followers:
        assert not coalescer.acquire(each)
    decided, _ = release(coalescer, leader, result)
    decisions = {id(follower): decision for follower, decision in decided}
    return [decisions.get(id(each)) for each in followers]


def test_a_result_decides_for_requests_that_arrived_before_the_start() -> None:
    followers = [reservation(1, arrived=arrived) for arrived in (1.0, 2.0, 2.5, 9.0)]

    as_taken = FollowerDecision.REJECT_AS_TAKEN
    assert _decisions(reservation(1), followers, taken(1), started=2.5) == [as_taken, as_taken, None, None]


def test_a_follower_with_other_seats_besides_needs_one_query() -> None:
    queried = reservation(1, 3)
    queried.was_queried = True
    followers = [
        reservation(1),
        reservation(1, 2),
        reservation(2),
        reservation(1, 3),
        reservation(2, 3),
        queried,
        reservation(1, 2, keyed=True),
    ]

    decisions = _decisions(reservation(1, 2), followers, taken(1), started=1.0)

    as_taken, query = FollowerDecision.REJECT_AS_TAKEN, FollowerDecision.QUERY_OTHER_SEATS
    assert decisions == [as_taken, as_taken, None, query, None, None, as_taken]


def test_a_busy_result_decides_for_followers_that_want_all_its_seats() -> None:
    followers = [reservation(1, 2), reservation(1, 2, 3, keyed=True), reservation(1), reservation(2, 4)]

    decisions = _decisions(reservation(1, 2), followers, LeaderResult(is_busy=True), started=1.0)

    assert decisions == [FollowerDecision.REJECT_AS_BUSY, FollowerDecision.REJECT_AS_BUSY, None, None]


def test_expired_followers_leave_and_the_others_stay() -> None:
    coalescer = Coalescer()
    first = reservation(1)
    coalescer.acquire(first)
    old, young = reservation(1, arrived=1.0), reservation(1, arrived=5.0)
    for each in (old, young):
        coalescer.acquire(each)

    assert list(coalescer.expired(2.0)) == [old]
    assert release(coalescer, first) == ([], [young])
    assert list(coalescer.expired(2.0)) == []


def test_an_expired_follower_behind_a_younger_one_leaves_too() -> None:
    """A request that needs two keys moves from one to the end of the other, behind those that arrived later."""
    coalescer = Coalescer()
    one, two = reservation(1), reservation(2)
    both, young = reservation(1, 2, arrived=1.0), reservation(2, arrived=5.0)
    assert [coalescer.acquire(each) for each in (one, two, both, young)] == [True, True, False, False]
    assert release(coalescer, one) == ([], [])

    assert list(coalescer.expired(2.0)) == [both]
    assert release(coalescer, two) == ([], [young])


_INTENTS = st.lists(
    st.tuples(st.sets(st.integers(1, 4), min_size=1, max_size=3), st.sampled_from("abc")), min_size=1, max_size=12
)


@given(intents=_INTENTS, data=st.data())
def test_no_request_is_lost_and_no_key_is_shared(intents: list[tuple[set[int], str]], data: st.DataObject) -> None:
    coalescer = Coalescer()
    requests = [reservation(*seats, user=user, arrived=float(number)) for number, (seats, user) in enumerate(intents)]
    leaders: list[PendingRequest] = []
    done: list[PendingRequest] = []
    coming = list(requests)
    while coming or leaders:
        if coming and (not leaders or data.draw(st.booleans())):
            arriving = coming.pop(0)
            if coalescer.acquire(arriving):
                leaders.append(arriving)
        else:
            leader = leaders.pop(data.draw(st.integers(0, len(leaders) - 1)))
            leader.started = data.draw(st.floats(0, 12))
            assert leader.intent is not None
            results = [NOTHING_SEEN, LeaderResult(leader.intent.seats), LeaderResult(is_busy=True)]
            decided, promoted = release(coalescer, leader, data.draw(st.sampled_from(results)))
            done += [leader, *(follower for follower, _ in decided)]
            leaders += promoted
        held = [key for each in leaders for key in each.keys]
        assert len(held) == len(set(held))

    assert sorted(map(id, done)) == sorted(map(id, requests))
    assert not coalescer.followers


def test_a_result_of_one_event_says_nothing_about_another() -> None:
    """Two events may have seats of the same id; one customer's requests for both meet at the customer's key."""
    here, there = (reservation(1, user="one", arrived=when) for when in (0.0, 1.0))
    assert there.intent is not None
    there.intent = evolve(there.intent, event_id=OTHER_EVENT, keys=(("seat", (OTHER_EVENT, seat(1))), ("user", "one")))
    coalescer = Coalescer()
    assert coalescer.acquire(here)
    assert not coalescer.acquire(there)
    here.started = 2.0

    decided, promoted = release(coalescer, here, taken(1))

    assert (decided, promoted) == ([], [there])


def _intent(seats: int, authorization: str = "Bearer abc", path: str = "/api/v1/bookings") -> ReservationIntent | None:
    body = json.dumps({"eventId": str(EVENT), "seatIds": [str(seat(number)) for number in range(seats)]})
    return ReservationIntent.of("POST", path, {"authorization": authorization}, body.encode())


def test_an_intent_has_a_key_for_each_seat_and_the_token() -> None:
    intent = _intent(2, "bearer   abc")

    assert intent is not None
    assert intent.keys == (*(("seat", (EVENT, each)) for each in intent.seats), ("user", "abc"))
    assert intent.body.fields.event_id == intent.event_id == EVENT
    assert not intent.has_idempotency_key


def test_an_intent_for_too_many_seats_has_no_key() -> None:
    intent = _intent(MAX_SEATS + 1)

    assert intent is not None
    assert intent.keys == ()


def test_only_a_valid_reservation_has_an_intent() -> None:
    assert _intent(1, path="/api/v1/events") is None
    assert ReservationIntent.of("POST", "/api/v1/bookings", {}, b"{") is None
    assert ReservationIntent.of("GET", "/api/v1/bookings", {}, b"") is None
