"""Reservations in groups: who is a member, when a group starts, and what becomes of its members."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any
from uuid import UUID

from attrs import define, field

from booking_api.gateway_reservations import GatewayReservation
from booking_api.gateway_responses import GatewayResponse
from booking_core import SeatAlreadyReserved, ServiceBusy
from booking_core.application.reserve_group import Outcome
from booking_core.ports import Deferral
from booking_server.gateway.admission_queue import AdmissionLimits
from booking_server.gateway.coalescing import PendingRequest, Priority
from booking_server.gateway.groups import GroupLimits
from tests.unit.booking_server.gateway.admission_fixture import DEFAULT_LIMITS, OTHER, SEAT, QueueFixture, run

SEATS = [UUID(int=n) for n in range(10, 90)]
REFUSED = ServiceBusy()
UNRENDERED = SeatAlreadyReserved()
"""The response to it fails."""


@define(eq=False)
class Groups:
    """Groups whose outcomes the test gives."""

    limits: GroupLimits = field(factory=GroupLimits)
    understands: bool = True
    cannot_read: bool = False
    started: list[tuple[Sequence[PendingRequest], "asyncio.Future[list[Outcome]]"]] = field(factory=list)
    left: list[tuple[PendingRequest, Deferral | None]] = field(factory=list)
    log: list[str] = field(factory=list)

    def understood(self, pending: PendingRequest) -> GatewayReservation | None:
        if self.cannot_read:
            raise KeyError("a bug")
        reservation: Any = object()
        return reservation if self.understands else None

    async def reserve(self, members: Sequence[PendingRequest]) -> list[Outcome]:
        self.log.append(f"group of {len(members)}")
        outcomes: asyncio.Future[list[Outcome]] = asyncio.get_running_loop().create_future()
        self.started.append((members, outcomes))
        return await outcomes

    def respond(self, member: PendingRequest, outcome: Outcome) -> GatewayResponse:
        self.log.append("response")
        member.reservation = None
        if outcome is UNRENDERED:
            raise KeyError("a bug")
        return 503 if outcome is REFUSED else 500 if isinstance(outcome, KeyError) else 409, [], b"of a group"

    def leave(self, pending: PendingRequest, deferral: Deferral | None) -> None:
        pending.reservation = None
        self.left.append((pending, deferral))

    @property
    def sizes(self) -> list[int]:
        return [len(members) for members, _ in self.started]

    async def end(self, place: int, *outcomes: Outcome) -> None:
        """End a group: its members have these outcomes, the last one for all others."""
        members, future = self.started[place]
        future.set_result([*outcomes, *[outcomes[-1]] * (len(members) - len(outcomes))])
        await settled()


async def settled() -> None:
    """All that follows from what has happened, without the passing of time."""
    for _ in range(20):
        await asyncio.sleep(0)


def with_groups(
    test: Callable[[QueueFixture, Groups], Awaitable[None]],
    *,
    size: int = 32,
    connections: int = 1,
    understands: bool = True,
    limits: AdmissionLimits = DEFAULT_LIMITS,
) -> None:
    groups = Groups(GroupLimits(size=size, connections=connections), understands)
    run(lambda fixture: test(fixture, groups), limits, grouping=groups)


def test_reservations_of_one_turn_of_the_loop_share_a_group() -> None:
    async def test(fixture: QueueFixture, groups: Groups) -> None:
        answers = [fixture.admit(seat) for seat in SEATS[:5]]
        await settled()
        assert groups.sizes == [5]
        assert fixture.pool.tasks == []

        await groups.end(0, SeatAlreadyReserved())

        assert [await each for each in answers] == [(409, [], b"of a group")] * 5

    with_groups(test)


def test_what_arrives_meanwhile_is_the_next_group() -> None:
    async def test(fixture: QueueFixture, groups: Groups) -> None:
        fixture.admit(SEATS[0])
        await settled()
        for seat in SEATS[1:4]:
            fixture.admit(seat)
            await settled()
        assert groups.sizes == [1]

        await groups.end(0, REFUSED)

        assert groups.sizes == [1, 3]

    with_groups(test)


def test_the_next_group_starts_before_responses_are_written() -> None:
    async def test(fixture: QueueFixture, groups: Groups) -> None:
        fixture.admit(SEATS[0])
        await settled()
        fixture.admit(SEATS[1])
        await groups.end(0, REFUSED)

        assert groups.log == ["group of 1", "group of 1", "response"]

    with_groups(test)


def test_a_group_has_no_more_members_than_its_limit() -> None:
    async def test(fixture: QueueFixture, groups: Groups) -> None:
        for seat in SEATS[:10]:
            fixture.admit(seat)
        await settled()
        await groups.end(0, REFUSED)

        assert groups.sizes == [4, 4]

    with_groups(test, size=4)


def test_a_deferred_member_goes_alone_once_its_group_has_ended() -> None:
    async def test(fixture: QueueFixture, groups: Groups) -> None:
        fixture.application.found = frozenset({SEAT})
        deferred, other = fixture.admit(SEAT), fixture.admit(OTHER)
        await settled()
        follower = fixture.admit(SEAT)
        assert fixture.pool.tasks == []
        await groups.end(0, Deferral.OVERDUE_HOLD, REFUSED)

        assert other.done()
        assert [(deferral, pending.result.taken) for pending, deferral in groups.left] == [
            (Deferral.OVERDUE_HOLD, frozenset())
        ]
        assert not deferred.done()
        assert not follower.done()
        await fixture.pool.run_one()
        assert (await deferred)[2] == b"answered"
        assert (await follower)[2] == b"told"

    with_groups(test)


def test_deferred_members_go_alone_in_the_order_of_arrival() -> None:
    async def test(fixture: QueueFixture, groups: Groups) -> None:
        answers = [fixture.admit(seat) for seat in SEATS[:4]]
        await settled()
        await groups.end(0, Deferral.SEAT_LOCKED_OR_UNKNOWN)

        ended = []
        for _ in answers:
            await fixture.pool.run_one()
            await settled()
            ended.append([answer.done() for answer in answers])
        assert [sum(done) for done in ended] == [1, 2, 3, 4]
        assert ended[1] == [True, True, False, False]

    with_groups(test)


def test_of_one_seat_one_leader_is_in_a_group_and_decides_for_all() -> None:
    async def test(fixture: QueueFixture, groups: Groups) -> None:
        leader, *followers = [fixture.admit(SEAT) for _ in range(40)]
        side = fixture.admit(OTHER)
        await settled()
        assert groups.sizes == [2]
        await groups.end(0, SeatAlreadyReserved.of({SEAT}), REFUSED)
        await fixture.run_until(41)

        assert [(await each)[2] for each in (leader, side)] == [b"of a group"] * 2
        assert {(await each)[2] for each in followers} == {b"told"}
        assert groups.sizes == [2]
        assert fixture.application.served == []

    with_groups(test)


def test_one_users_requests_are_never_in_one_group() -> None:
    async def test(fixture: QueueFixture, groups: Groups) -> None:
        for seat in SEATS[:3]:
            fixture.admit(seat, user="ada")
        await settled()
        assert groups.sizes == [1]
        await groups.end(0, REFUSED)

        assert groups.sizes == [1, 1]

    with_groups(test)


def test_a_second_group_starts_only_when_the_first_is_late() -> None:
    async def test(fixture: QueueFixture, groups: Groups) -> None:
        fixture.admit(SEATS[0])
        await asyncio.sleep(0.4)
        late = fixture.admit(SEATS[1])
        await asyncio.sleep(0.05)
        assert groups.sizes == [1]
        await asyncio.sleep(0.1)
        assert groups.sizes == [1, 1]

        fixture.admit(SEATS[2])
        await asyncio.sleep(0.6)
        assert groups.sizes == [1, 1]
        await groups.end(1, REFUSED)
        assert late.done()

    with_groups(test)


def test_with_two_connections_a_group_does_not_wait_for_a_small_one() -> None:
    async def test(fixture: QueueFixture, groups: Groups) -> None:
        for seat in SEATS[:3]:
            fixture.admit(seat)
            await settled()
        assert groups.sizes == [1, 1]
        await groups.end(0, REFUSED)

        assert groups.sizes == [1, 1, 1]

    with_groups(test, connections=2)


def test_with_two_connections_a_group_waits_for_a_large_one() -> None:
    async def test(fixture: QueueFixture, groups: Groups) -> None:
        for seat in SEATS[:3]:
            fixture.admit(seat)
        await settled()
        fixture.admit(SEATS[3])
        await settled()
        assert groups.sizes == [3]
        await groups.end(0, REFUSED)

        assert groups.sizes == [3, 1]

    with_groups(test, connections=2)


def test_a_second_group_makes_room_for_the_next_one() -> None:
    async def test(fixture: QueueFixture, groups: Groups) -> None:
        fixture.admit(SEATS[0])
        await asyncio.sleep(0.6)
        for seat in SEATS[1:3]:
            fixture.admit(seat)
            await settled()
        assert groups.sizes == [1, 1]
        await groups.end(1, REFUSED)

        assert groups.sizes == [1, 1, 1]

    with_groups(test)


def test_an_expired_member_is_rejected_when_the_group_is_formed() -> None:
    async def test(fixture: QueueFixture, groups: Groups) -> None:
        fixture.admit(SEATS[0])
        await settled()
        expired, fresh = fixture.admit(SEATS[1], ago=0.5), fixture.admit(SEATS[2])
        await groups.end(0, REFUSED)

        assert (await expired)[0] == 503
        assert groups.sizes == [1, 1]
        assert [deferral for _, deferral in groups.left] == [None]
        assert not fresh.done()

    with_groups(test)


def test_members_expire_while_a_group_does_not_end() -> None:
    async def test(fixture: QueueFixture, groups: Groups) -> None:
        fixture.admit(SEATS[0])
        await settled()
        await asyncio.sleep(0.6)
        fixture.admit(SEATS[1])
        await settled()
        waiting = fixture.admit(SEATS[2])
        await asyncio.sleep(0.3)
        assert not waiting.done()
        await asyncio.sleep(0.2)

        assert (await waiting)[0] == 503
        assert groups.sizes == [1, 1]

    with_groups(test)


def test_a_request_that_is_not_understood_reaches_the_application() -> None:
    async def test(fixture: QueueFixture, groups: Groups) -> None:
        answer = fixture.admit(SEAT)
        await fixture.pool.run_one()

        assert (await answer)[2] == b"answered"
        assert groups.sizes == []

    with_groups(test, understands=False)


def test_a_request_that_is_not_understood_is_admitted_by_the_queue_for_threads() -> None:
    async def test(fixture: QueueFixture, groups: Groups) -> None:
        for _ in range(100):
            fixture.admit(ago=0.1)
        fixture.rate.seconds_per_request = fixture.control.limits.longest_estimated_wait / 100 * 1.01

        rejected = fixture.admit(SEAT)
        assert rejected.done()
        assert (await rejected)[0] == 503
        fixture.rate.seconds_per_request = 0.0
        next_one = fixture.admit(SEAT)
        await fixture.pool.run_all()
        assert (await next_one)[2] == b"answered"

    with_groups(test, understands=False)


def test_other_requests_do_not_wait_for_a_group() -> None:
    async def test(fixture: QueueFixture, groups: Groups) -> None:
        fixture.admit(SEAT)
        answer = fixture.admit(priority=Priority.LIST, path="/api/v1/bookings/my")
        await fixture.pool.run_one()

        assert (await answer)[2] == b"answered"
        assert groups.sizes == [1]

    with_groups(test)


def test_an_error_of_a_whole_group_is_the_outcome_of_each_member() -> None:
    async def test(fixture: QueueFixture, groups: Groups) -> None:
        answers = [fixture.admit(seat) for seat in SEATS[:3]]
        await settled()
        _, outcomes = groups.started[0]
        outcomes.set_exception(KeyError("a bug"))
        await settled()

        assert [(await each)[0] for each in answers] == [500] * 3
        again = fixture.admit(SEATS[0])
        await settled()
        await groups.end(1, REFUSED)
        assert (await again)[0] == 503

    with_groups(test)


def test_a_response_that_fails_is_that_of_its_member_alone() -> None:
    async def test(fixture: QueueFixture, groups: Groups) -> None:
        answers = [fixture.admit(seat) for seat in SEATS[:3]]
        await settled()
        await groups.end(0, REFUSED, UNRENDERED, REFUSED)

        assert [each.done() for each in answers] == [True] * 3
        assert [(await each)[0] for each in answers] == [503, 500, 503]

    with_groups(test)


def test_a_reservation_whose_reading_fails_reaches_the_application() -> None:
    """It holds its keys by then, and those who wait for them go on."""

    async def test(fixture: QueueFixture, groups: Groups) -> None:
        groups.cannot_read = True
        first, second = fixture.admit(SEAT), fixture.admit(SEAT)
        await fixture.pool.run_one()
        await settled()
        await fixture.pool.run_one()

        assert [(await each)[2] for each in (first, second)] == [b"answered"] * 2
        assert groups.sizes == []

    with_groups(test)


def test_an_expired_reservation_keeps_no_place_in_a_group() -> None:
    async def test(fixture: QueueFixture, groups: Groups) -> None:
        fixture.admit(SEATS[0])
        await settled()
        expired = fixture.admit(SEAT)
        await asyncio.sleep(0.2)
        follower = fixture.admit(SEAT)
        await asyncio.sleep(0.25)
        assert expired.done()
        await groups.end(0, REFUSED)

        assert groups.sizes == [1, 1]
        assert not follower.done()

    with_groups(test)
