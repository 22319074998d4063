"""A hall over a crew whose hands the test moves, before an application that answers as the test says."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from time import perf_counter
from typing import Any
from uuid import UUID

import pytest
from attrs import define, field
from prometheus_client import CollectorRegistry

from booking_api.gateway_responses import Follower, GatewayRequest, GatewayResponse, GatewayResponses
from booking_api.http.access_log import AccessLog
from booking_api.http.bodies import Body, CreateBooking
from booking_api.http.cors import Cors
from booking_api.http.metrics import HttpMetrics
from booking_api.http.request import FOUND_TAKEN, SEATS_BUSY
from booking_core import SeatStatus, ServiceBusy
from booking_server.gateway import admission_queue as hall_module
from booking_server.gateway.admission_queue import AdmissionQueue
from booking_server.gateway.pending_request import Answer, Lane, PendingRequest, ReservationIntent
from booking_server.gateway.thread_pool import Task, ThreadPool
from tests.unit.booking_server.gateway.test_wsgi import Scope

SEAT, OTHER = UUID(int=1), UUID(int=2)


class Early(GatewayResponses):
    """Answers at once if it `knows` the callers, and after a look unless their key is among those `kept`."""

    def __init__(self, registry: CollectorRegistry) -> None:
        nobody: Any = None
        super().__init__(Cors(()), AccessLog(HttpMetrics(registry), b"key"), nobody, nobody)
        self.knows = True
        self.told: list[frozenset[UUID]] = []
        self.kept: set[str] = set()
        self.asked: list[int] = []
        self.told_after_looks: list[frozenset[UUID]] = []
        self.look_fails = False
        self.claimed: frozenset[UUID] = frozenset()
        self.unknown: frozenset[UUID] = frozenset()
        self.looked_at: list[frozenset[UUID]] = []
        self.is_busy = False

    def taken(self, follower: Follower) -> GatewayResponse | None:
        if not self.knows:
            return None
        self.told.append(follower.taken)
        return 409, [], b"told"

    def seat_statuses(self, event_id: UUID, seat_ids: Collection[UUID]) -> Mapping[UUID, SeatStatus]:
        self.looked_at.append(frozenset(seat_ids))
        if self.is_busy:
            raise ServiceBusy
        known = frozenset(seat_ids) - self.unknown
        return {each: SeatStatus.SOLD if each in self.claimed else SeatStatus.AVAILABLE for each in known}

    def taken_after_queries(self, followers: Sequence[Follower]) -> list[GatewayResponse | None]:
        self.asked.append(len(followers))
        self.told_after_looks += [each.taken for each in followers]
        if self.look_fails:
            raise KeyError("a bug")
        return [None if _key_of(each.request) in self.kept else (409, [], b"told") for each in followers]


def _key_of(request: GatewayRequest) -> str:
    return request.headers["idempotency-key"]


class Application:
    """Answers as the test says; what was found is said by the test."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.gateway_responses = Early(self.registry)
        self.served: list[dict[str, Any]] = []
        self.status = "409 Conflict"
        self.found: frozenset[UUID] = frozenset()
        self.broken = False
        self.held_up = False

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        self.served.append(environ)
        if self.broken:
            raise KeyError("broken")
        environ[FOUND_TAKEN], environ[SEATS_BUSY] = self.found, self.held_up
        start_response(self.status, [])
        return [b"answered"]


@define(eq=False)
class Hands(ThreadPool):
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
    hall: AdmissionQueue = field(init=False)
    admitted: list["asyncio.Future[Answer]"] = field(factory=list)

    def open(self) -> AdmissionQueue:
        self.hall = AdmissionQueue(self.application, self.hands, asyncio.get_running_loop())
        return self.hall

    def admit(self, *seats: UUID, user: str = "", ago: float = 0.0, key: str = "") -> "asyncio.Future[Answer]":
        wish, reservation = None, None
        if seats:
            reservation = Body(CreateBooking(UUID(int=99), list(seats)), b"")
            lanes: list[Lane] = [("seat", each) for each in seats]
            lanes.append(("user", user or object()))
            wish = ReservationIntent(frozenset(seats), tuple(lanes), has_key=bool(key), event_id=UUID(int=99))
        request = GatewayRequest("POST", {"x-correlation-id": "c-1", "idempotency-key": key}, perf_counter() - ago)
        self.admitted.append(self.hall.admit(PendingRequest(request, Scope(), b"", reservation, wish)))
        return self.admitted[-1]

    async def work_off(self, answers: int) -> None:
        """All tasks, until so many have been answered; between groups there are pauses."""
        while self.hands.tasks or sum(each.done() for each in self.admitted) < answers:
            await (self.hands.work() if self.hands.tasks else asyncio.sleep(0.001))

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
