"""Who is told by a thread, after one look for many, or by the application: one at a time, and nobody waits in vain."""

import asyncio
from uuid import UUID

import pytest

from booking_api.http.request import KNOWN_TAKEN
from booking_server.gateway import admission_queue as hall_module
from tests.unit.booking_server.gateway.admission_stage import OTHER, SEAT, Stage, impatient, run

__all__ = ["impatient"]


def test_those_with_keys_are_told_after_one_look_for_all_of_them() -> None:
    async def test(stage: Stage) -> None:
        stage.application.found = frozenset({SEAT})
        first, *others = [stage.admit(SEAT, key=f"k{number}") for number in range(20)]
        await stage.work_off(20)

        assert (await first)[2] == b"answered"
        assert {(await each)[2] for each in others} == {b"told"}
        assert stage.application.gateway_responses.asked == [19]
        assert len(stage.application.served) == 1

    run(test)


def test_whose_key_has_an_answer_the_application_tells() -> None:
    async def test(stage: Stage) -> None:
        stage.application.found = frozenset({SEAT})
        stage.application.gateway_responses.kept = {"again"}
        _, again, other = [stage.admit(SEAT, key=key) for key in ("again", "again", "other")]
        await stage.work_off(3)

        assert ((await again)[2], (await other)[2]) == (b"answered", b"told")
        assert len(stage.application.served) == 2

    run(test)


def test_a_crowd_never_has_more_than_one_hand() -> None:
    async def test(stage: Stage) -> None:
        stage.hands.size = 3
        stage.application.found = frozenset({SEAT})
        answers = [stage.admit(SEAT, key=f"k{number}") for number in range(100)]
        await stage.hands.work()
        while stage.hands.tasks or not all(each.done() for each in answers):
            assert len(stage.hands.tasks) <= 1
            await (stage.hands.work() if stage.hands.tasks else asyncio.sleep(0.001))

        assert max(stage.application.gateway_responses.asked) <= 32
        assert sum(stage.application.gateway_responses.asked) == 99

    run(test)


def test_one_who_can_not_be_asked_for_keeps_nobody_waiting() -> None:
    async def test(stage: Stage) -> None:
        stage.application.found = frozenset({SEAT})
        stage.application.gateway_responses.look_fails = True
        _, *others = [stage.admit(SEAT, key="k") for _ in range(3)]
        await stage.work_off(3)

        assert [(await each)[0] for each in others] == [500, 500]

    run(test)


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("key", ["", "key"])
def test_who_is_to_be_told_by_a_thread_does_not_wait_for_ever(monkeypatch: pytest.MonkeyPatch, key: str) -> None:
    """All hands are busy with others; nobody comes any more, so nothing else would look after them."""
    monkeypatch.setattr(hall_module, "LANE_PATIENCE_SECONDS", 0.05)

    async def test(stage: Stage) -> None:
        stage.application.found = frozenset({SEAT})
        stage.application.gateway_responses.knows = False
        first = stage.admit(SEAT, key=key)
        waiting = [stage.admit(SEAT, key=key) for _ in range(3)]
        stuck = [stage.admit(), stage.admit()]
        await stage.hands.work()

        assert [(await asyncio.wait_for(each, 5))[0] for each in waiting] == [503] * 3
        assert first.done()
        assert not any(each.done() for each in stuck)
        await stage.work_off(0)

    run(test)


THIRD = UUID(int=3)


def test_who_wants_other_seats_besides_hears_of_those_too() -> None:
    """One look for the three of them, at all that they want."""

    async def test(stage: Stage) -> None:
        early = stage.application.gateway_responses
        stage.application.found, early.claimed = frozenset({SEAT}), frozenset({SEAT, THIRD})
        first, *others = [stage.admit(SEAT), *(stage.admit(SEAT, OTHER, THIRD) for _ in range(3))]
        await stage.work_off(4)

        assert (await first)[2] == b"answered"
        assert {(await each)[2] for each in others} == {b"told"}
        assert early.looked_at == [frozenset({SEAT, OTHER, THIRD})]
        assert early.told_after_looks == [frozenset({SEAT, THIRD})] * 3
        assert len(stage.application.served) == 1

    run(test)


@pytest.mark.parametrize("unknown", [frozenset[UUID](), frozenset({OTHER})])
def test_whose_seats_are_free_after_all_or_not_known_takes_a_turn(unknown: frozenset[UUID]) -> None:
    async def test(stage: Stage) -> None:
        early = stage.application.gateway_responses
        stage.application.found, early.unknown = frozenset({SEAT}), unknown
        early.claimed = frozenset({SEAT}) if unknown else frozenset()
        answers = [stage.admit(SEAT), stage.admit(SEAT, OTHER), stage.admit(SEAT, OTHER)]
        await stage.work_off(3)

        assert [(await each)[2] for each in answers[:2]] == [b"answered"] * 2
        assert [environ[KNOWN_TAKEN] for environ in stage.application.served[:2]] == [frozenset()] * 2
        assert len(early.looked_at) == 1

    run(test)


def test_a_look_that_comes_to_nothing_is_no_reason_to_wait() -> None:
    async def test(stage: Stage) -> None:
        stage.application.found = frozenset({SEAT})
        stage.application.gateway_responses.is_busy = True
        answers = [stage.admit(SEAT), *(stage.admit(SEAT, OTHER) for _ in range(2))]
        await stage.work_off(3)

        assert [(await each)[0] for each in answers] == [409, 503, 503]

    run(test)
