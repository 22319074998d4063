"""Who gets in, who is told, who is turned away: over a crew whose hands the test moves."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterable
from time import perf_counter
from typing import Any
from uuid import UUID

import pytest
from attrs import define, field
from prometheus_client import CollectorRegistry

from booking_api.accounting import Accounting
from booking_api.cors import Cors
from booking_api.crowd import FOUND, HELD_UP, TAKEN
from booking_api.early import EarlyAnswer, EarlyAnswers, EarlyRequest
from booking_api.metrics import HttpMetrics
from booking_service.front import hall as hall_module
from booking_service.front.crew import Crew, Task
from booking_service.front.hall import Hall
from booking_service.front.visits import Answer, Visit, Wish
from tests.unit.booking_service.front.test_wsgi import Scope

SEAT, OTHER = UUID(int=1), UUID(int=2)


class Early(EarlyAnswers):
    """`taken` answers for the callers it knows."""

    def __init__(self, registry: CollectorRegistry) -> None:
        nobody: Any = None
        super().__init__(Cors(()), Accounting(HttpMetrics(registry), b"key"), nobody)
        self.knows = True
        self.told: list[frozenset[UUID]] = []

    def taken(self, request: EarlyRequest, body: bytes, taken: Collection[UUID]) -> EarlyAnswer | None:
        if not self.knows:
            return None
        self.told.append(frozenset(taken))
        return 409, [], b"told"


class Application:
    """Answers as the test says; what was found is said by the test."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.early = Early(self.registry)
        self.served: list[dict[str, Any]] = []
        self.status = "409 Conflict"
        self.found: frozenset[UUID] = frozenset()
        self.broken = False
        self.held_up = False

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        self.served.append(environ)
        if self.broken:
            raise KeyError("broken")
        environ[FOUND], environ[HELD_UP] = self.found, self.held_up
        start_response(self.status, [])
        return [b"answered"]


@define(eq=False)
class Hands(Crew):
    """A crew of one that works when it is told to."""

    name: str = "test"
    size: int = 1
    tasks: list[Task] = field(factory=list)

    def do(self, task: Task) -> None:
        self.tasks.append(task)

    async def work(self) -> None:
        """One task, and all that follows from it."""
        self.tasks.pop(0)()
        for _ in range(20):
            await asyncio.sleep(0)

    async def work_off(self) -> None:
        while self.tasks:
            await self.work()


@define
class Stage:
    application: Application = field(factory=Application)
    hands: Hands = field(factory=Hands)
    hall: Hall = field(init=False)

    def open(self) -> Hall:
        self.hall = Hall(self.application, self.hands, asyncio.get_running_loop())
        return self.hall

    def admit(self, *seats: UUID, user: str = "", ago: float = 0.0) -> "asyncio.Future[Answer]":
        wish = None
        if seats:
            lanes = [("seat", each) for each in seats]
            wish = Wish(frozenset(seats), (*lanes, ("user", user or object())), can_be_told=True)
        request = EarlyRequest("POST", {"x-correlation-id": "c-1"}, perf_counter() - ago)
        return self.hall.admit(Visit(request, Scope(), b"", wish))

    @property
    def counted(self) -> float | None:
        labels = {"method": "POST", "route": "", "status": "503", "code": "SERVICE_BUSY"}
        return self.application.registry.get_sample_value("booking_http_requests_total", labels)


def run(test: Callable[[Stage], Awaitable[None]]) -> None:
    async def within() -> None:
        stage = Stage()
        stage.open()
        await test(stage)

    asyncio.run(within())


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hall_module, "_LOOK_EVERY_SECONDS", 0.001)


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
        assert stage.application.early.told == [frozenset({SEAT})] * 39
        assert len(stage.application.served) == 2

    run(test)


def test_whom_nobody_knows_yet_the_application_tells() -> None:
    async def test(stage: Stage) -> None:
        stage.application.found = frozenset({SEAT})
        stage.application.early.knows = False
        answers = [stage.admit(SEAT) for _ in range(3)]
        await stage.hands.work_off()

        assert [(await each)[2] for each in answers] == [b"answered"] * 3
        known = frozenset({SEAT})
        assert [environ[TAKEN] for environ in stage.application.served] == [frozenset(), known, known]

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

        def failing(*_: object) -> EarlyAnswer:
            asked.append(1)
            if len(asked) == 1:
                raise KeyError("a bug")
            return 409, [], b"told"

        monkeypatch.setattr(stage.application.early, "taken", failing)
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
        assert stage.application.served[1][TAKEN] == frozenset()

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


def test_when_the_queue_is_too_long_the_next_is_refused_at_once() -> None:
    async def test(stage: Stage) -> None:
        for _ in range(200):
            stage.admit()
        for _ in range(100):
            await stage.hands.work()
        stage.hall._pace._between = 0.1  # what it measures is the machine's

        refused = stage.admit()

        assert refused.done()
        assert (await refused)[0] == 503
        await stage.hands.work_off()

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
