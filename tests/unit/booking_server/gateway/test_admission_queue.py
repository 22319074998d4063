"""Who gets in, who is told, who is turned away: over a crew whose hands the test moves."""

import asyncio
from time import perf_counter

import pytest

from booking_api.gateway_responses import GatewayRequest, GatewayResponse
from booking_api.http.request import KNOWN_TAKEN
from booking_server.gateway import admission_queue as hall_module
from booking_server.gateway import followers
from tests.unit.booking_server.gateway.admission_stage import OTHER, SEAT, Stage, impatient, run

__all__ = ["impatient"]


def test_a_visit_is_answered() -> None:
    async def test(stage: Stage) -> None:
        answer = stage.admit()
        await stage.hands.work()

        assert await answer == (409, [], b"answered")

    run(test)


def test_one_inside_for_a_seat_and_what_it_finds_is_told_to_all() -> None:
    async def test(stage: Stage) -> None:
        stage.application.found = frozenset({SEAT})
        first, *others = [stage.admit(SEAT) for _ in range(40)]
        side = stage.admit(OTHER)
        assert len(stage.hands.tasks) == 2
        await stage.hands.work_off()

        assert [(await each)[2] for each in (first, side)] == [b"answered"] * 2
        assert {(await each)[2] for each in others} == {b"told"}
        assert stage.application.gateway_responses.told == [frozenset({SEAT})] * 39
        assert len(stage.application.served) == 2

    run(test)


def test_whom_nobody_knows_yet_is_told_after_a_look() -> None:
    async def test(stage: Stage) -> None:
        stage.application.found = frozenset({SEAT})
        stage.application.gateway_responses.knows = False
        _, *others = [stage.admit(SEAT) for _ in range(3)]
        await stage.work_off(3)

        assert [(await each)[2] for each in others] == [b"told"] * 2
        assert stage.application.gateway_responses.asked == [2]

    run(test)


def test_whose_matter_is_another_after_the_look_the_application_tells() -> None:
    async def test(stage: Stage) -> None:
        stage.application.found = frozenset({SEAT})
        stage.application.gateway_responses.knows = False
        stage.application.gateway_responses.kept = {""}
        answers = [stage.admit(SEAT) for _ in range(3)]
        await stage.work_off(3)

        assert [(await each)[2] for each in answers] == [b"answered"] * 3
        known = frozenset({SEAT})
        assert [environ[KNOWN_TAKEN] for environ in stage.application.served] == [frozenset(), known, known]

    run(test)


def test_the_next_look_waits_until_the_crowd_has_been_told(monkeypatch: pytest.MonkeyPatch) -> None:
    # The first pause is as long as the machine is slow.
    for patience in ("_HELD_BACK_SECONDS", "PATIENCE_SECONDS", "LANE_PATIENCE_SECONDS"):
        monkeypatch.setattr(hall_module, patience, 60.0)

    async def test(stage: Stage) -> None:
        monkeypatch.setattr(followers, "_PAUSES", 1000)
        stage.application.found = frozenset({SEAT})
        crowd = [stage.admit(SEAT) for _ in range(20)]
        newcomers = [stage.admit(SEAT, ago=-0.01) for _ in range(3)]
        await stage.hands.work()

        assert sum(each.done() for each in crowd) == 1 + followers._TOLD_TOGETHER
        assert stage.hands.tasks == []
        monkeypatch.setattr(followers, "_PAUSES", 0)
        await stage.work_off(23)
        assert [(await each)[0] for each in (*crowd, *newcomers)] == [409] * 23
        assert len(stage.application.served) == 2

    run(test)


def test_nobody_is_held_back_for_long(monkeypatch: pytest.MonkeyPatch, impatient: None) -> None:
    async def test(stage: Stage) -> None:
        monkeypatch.setattr(followers, "_PAUSES", 1_000_000)
        monkeypatch.setattr(hall_module, "_HELD_BACK_SECONDS", 0.01)
        stage.application.found = frozenset({SEAT})
        for _ in range(20):
            stage.admit(SEAT)
        newcomer = stage.admit(SEAT, ago=-0.01)
        await stage.hands.work()
        while not stage.hands.tasks:
            await asyncio.sleep(0.001)
        await stage.hands.work()

        assert (await newcomer)[2] == b"answered"

    run(test)


def test_those_who_are_held_up_together_are_told_together() -> None:
    async def test(stage: Stage) -> None:
        stage.application.status, stage.application.held_up = "503 Service Unavailable", True
        answers = [stage.admit(SEAT) for _ in range(3)]
        await stage.hands.work()

        assert [(await each)[0] for each in answers] == [503, 503, 503]
        assert len(stage.application.served) == 1
        assert stage.counted == 2

    run(test)


def test_who_was_refused_for_another_reason_speaks_for_nobody() -> None:
    async def test(stage: Stage) -> None:
        stage.application.status = "503 Service Unavailable"
        answers = [stage.admit(SEAT) for _ in range(3)]
        await stage.hands.work_off()

        assert len(stage.application.served) == len(answers)

    run(test)


def test_one_who_can_not_be_told_keeps_nobody_from_it(monkeypatch: pytest.MonkeyPatch) -> None:
    async def test(stage: Stage) -> None:
        stage.application.found = frozenset({SEAT})
        asked = []

        def failing(*_: object) -> GatewayResponse:
            asked.append(1)
            if len(asked) == 1:
                raise KeyError("a bug")
            return 409, [], b"told"

        monkeypatch.setattr(stage.application.gateway_responses, "taken", failing)
        answers = [stage.admit(SEAT) for _ in range(20)]
        await stage.hands.work_off()

        assert [(await each)[0] for each in answers] == [409, 500, *[409] * 18]

    run(test)


def test_one_customer_has_one_inside() -> None:
    async def test(stage: Stage) -> None:
        stage.admit(SEAT, user="ann")
        second = stage.admit(OTHER, user="ann")
        assert len(stage.hands.tasks) == 1
        await stage.hands.work_off()

        assert second.done()
        assert stage.application.served[1][KNOWN_TAKEN] == frozenset()

    run(test)


def test_who_has_waited_too_long_is_not_begun() -> None:
    async def test(stage: Stage) -> None:
        for _ in range(2):
            stage.admit()
        late, in_time = stage.admit(SEAT, ago=hall_module.PATIENCE_SECONDS), stage.admit(SEAT)
        await stage.hands.work_off()

        status, headers, body = await late
        assert (status, dict(headers)["Retry-After"], b"SERVICE_BUSY" in body) == (503, "1", True)
        assert dict(headers)["X-Correlation-Id"] == "c-1"
        assert (await in_time)[0] == 409
        assert len(stage.application.served) == 3

    run(test)


@pytest.mark.usefixtures("impatient")
def test_nobody_waits_in_vain_while_the_crew_is_stuck(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hall_module, "PATIENCE_SECONDS", 0.05)
    monkeypatch.setattr(hall_module, "LANE_PATIENCE_SECONDS", 0.05)

    async def test(stage: Stage) -> None:
        answers = [stage.admit(SEAT), stage.admit(), stage.admit(), stage.admit(SEAT)]

        assert (await asyncio.wait_for(answers[2], 5))[0] == 503
        assert (await asyncio.wait_for(answers[3], 5))[0] == 503
        assert not answers[0].done()
        await stage.hands.work_off()
        assert (await answers[0])[0] == (await answers[1])[0] == 409

    run(test)


def test_it_is_full_when_the_next_would_wait_too_long() -> None:
    async def test(stage: Stage) -> None:
        for _ in range(200):
            stage.admit()
        for _ in range(100):
            await stage.hands.work()
        waiting = len(stage.hall._ready)

        # What it measures is the machine's.
        full = []
        for share in (0.99, 1.01):
            stage.hall._pace._between = hall_module.LONGEST_WAIT_SECONDS / waiting * share
            full.append(stage.hall.is_full)

        assert full == [False, True]
        await stage.hands.work_off()

    run(test)


def test_a_refusal_is_counted_and_says_when_to_come_again() -> None:
    async def test(stage: Stage) -> None:
        status, headers, body = stage.hall.refuse(GatewayRequest("POST", {"x-correlation-id": "c-1"}, perf_counter()))

        assert (status, dict(headers)["Retry-After"], b"SERVICE_BUSY" in body) == (503, "1", True)
        assert dict(headers)["X-Correlation-Id"] == "c-1"
        assert stage.counted == 1

    run(test)


def test_an_application_that_fails_is_answered_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hall_module, "PATIENCE_SECONDS", 60.0)  # writing the traceback takes its time

    async def test(stage: Stage) -> None:
        stage.application.broken = True
        first, second = stage.admit(SEAT), stage.admit(SEAT)
        await stage.hands.work()
        stage.application.broken = False
        await stage.hands.work_off()

        assert ((await first)[0], (await second)[0]) == (500, 409)

    run(test)


def test_a_caller_that_has_gone_is_no_trouble() -> None:
    async def test(stage: Stage) -> None:
        gone, waiting = stage.admit(SEAT), stage.admit(SEAT)
        gone.cancel()
        await stage.hands.work_off()

        assert (await waiting)[0] == 409

    run(test)
