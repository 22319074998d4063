"""Followers that a pool thread answers, after one query for many of them, or through the application."""

import asyncio
from uuid import UUID

import pytest

from booking_api.http.flask_app import KNOWN_TAKEN
from booking_server.gateway.admission_queue import AdmissionLimits
from tests.unit.booking_server.gateway.admission_fixture import OTHER, SEAT, QueueFixture, run


def test_followers_with_idempotency_keys_share_one_query() -> None:
    async def test(fixture: QueueFixture) -> None:
        fixture.application.found = frozenset({SEAT})
        first, *others = [fixture.admit(SEAT, key=f"k{number}") for number in range(20)]
        await fixture.run_until(20)

        assert (await first)[2] == b"answered"
        assert {(await each)[2] for each in others} == {b"told"}
        assert fixture.application.gateway_responses.asked == [19]
        assert len(fixture.application.served) == 1

    run(test)


def test_a_follower_with_a_stored_response_reaches_the_application() -> None:
    async def test(fixture: QueueFixture) -> None:
        fixture.application.found = frozenset({SEAT})
        fixture.application.gateway_responses.kept = {"again"}
        _, again, other = [fixture.admit(SEAT, key=key) for key in ("again", "again", "other")]
        await fixture.run_until(3)

        assert ((await again)[2], (await other)[2]) == (b"answered", b"told")
        assert len(fixture.application.served) == 2

    run(test)


def test_notification_never_uses_more_than_one_thread() -> None:
    async def test(fixture: QueueFixture) -> None:
        fixture.pool.size = 3
        fixture.application.found = frozenset({SEAT})
        answers = [fixture.admit(SEAT, key=f"k{number}") for number in range(100)]
        await fixture.pool.run_one()
        while fixture.pool.tasks or not all(each.done() for each in answers):
            assert len(fixture.pool.tasks) <= 1
            await (fixture.pool.run_one() if fixture.pool.tasks else asyncio.sleep(0.001))

        assert max(fixture.application.gateway_responses.asked) <= 32
        assert sum(fixture.application.gateway_responses.asked) == 99

    run(test)


def test_a_query_that_fails_is_an_internal_error() -> None:
    async def test(fixture: QueueFixture) -> None:
        fixture.application.found = frozenset({SEAT})
        fixture.application.gateway_responses.look_fails = True
        _, *others = [fixture.admit(SEAT, key="k") for _ in range(3)]
        await fixture.run_until(3)

        assert [(await each)[0] for each in others] == [500, 500]

    run(test)


@pytest.mark.parametrize("key", ["", "key"])
def test_followers_that_wait_for_a_thread_expire(key: str) -> None:
    """All threads are busy with others, and no later request causes a check."""

    async def test(fixture: QueueFixture) -> None:
        fixture.application.found = frozenset({SEAT})
        fixture.application.gateway_responses.knows = False
        first = fixture.admit(SEAT, key=key)
        waiting = [fixture.admit(SEAT, key=key) for _ in range(3)]
        stuck = [fixture.admit(), fixture.admit()]
        await fixture.pool.run_one()

        assert [(await asyncio.wait_for(each, 5))[0] for each in waiting] == [503] * 3
        assert first.done()
        assert not any(each.done() for each in stuck)
        await fixture.run_until(0)

    run(test, AdmissionLimits(follower_timeout=0.05, check_interval=0.001))


THIRD = UUID(int=3)


def test_a_follower_with_other_seats_learns_of_all_taken_ones() -> None:
    """One query for the three of them, about all the seats that they want."""

    async def test(fixture: QueueFixture) -> None:
        early = fixture.application.gateway_responses
        fixture.application.found, early.claimed = frozenset({SEAT}), frozenset({SEAT, THIRD})
        first, *others = [fixture.admit(SEAT), *(fixture.admit(SEAT, OTHER, THIRD) for _ in range(3))]
        await fixture.run_until(4)

        assert (await first)[2] == b"answered"
        assert {(await each)[2] for each in others} == {b"told"}
        assert early.looked_at == [frozenset({SEAT, OTHER, THIRD})]
        assert early.told_after_looks == [frozenset({SEAT, THIRD})] * 3
        assert len(fixture.application.served) == 1

    run(test)


@pytest.mark.parametrize("unknown", [frozenset[UUID](), frozenset({OTHER})])
def test_a_follower_whose_seats_are_free_or_unknown_is_readmitted(unknown: frozenset[UUID]) -> None:
    async def test(fixture: QueueFixture) -> None:
        early = fixture.application.gateway_responses
        fixture.application.found, early.unknown = frozenset({SEAT}), unknown
        early.claimed = frozenset({SEAT}) if unknown else frozenset()
        answers = [fixture.admit(SEAT), fixture.admit(SEAT, OTHER), fixture.admit(SEAT, OTHER)]
        await fixture.run_until(3)

        assert [(await each)[2] for each in answers[:2]] == [b"answered"] * 2
        assert [environ[KNOWN_TAKEN] for environ in fixture.application.served[:2]] == [frozenset()] * 2
        assert len(early.looked_at) == 1

    run(test)


def test_a_query_that_times_out_rejects_the_followers() -> None:
    async def test(fixture: QueueFixture) -> None:
        fixture.application.found = frozenset({SEAT})
        fixture.application.gateway_responses.is_busy = True
        answers = [fixture.admit(SEAT), *(fixture.admit(SEAT, OTHER) for _ in range(2))]
        await fixture.run_until(3)

        assert [(await each)[0] for each in answers] == [409, 503, 503]

    run(test)
