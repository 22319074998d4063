"""An admission queue over a thread pool that the test drives, and an application that answers as the test says."""

import asyncio
import selectors
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from time import monotonic
from typing import Any
from uuid import UUID

from attrs import define, field
from prometheus_client import CollectorRegistry

from booking_api.gateway_responses import Follower, GatewayRequest, GatewayResponse, GatewayResponses
from booking_api.http.access_log import AccessLog
from booking_api.http.bodies import Body, CreateBooking
from booking_api.http.cors import Cors
from booking_api.http.flask_app import FOUND_TAKEN, SEATS_BUSY
from booking_api.http.metrics import HttpMetrics
from booking_core import SeatStatus, ServiceBusy
from booking_core.application.system_runtime import SYSTEM_RUNTIME, SystemRuntime
from booking_core.ports import Runtime
from booking_server.gateway import Gateway
from booking_server.gateway.admission_control import AdmissionControl, ServiceRateEstimator
from booking_server.gateway.admission_queue import AdmissionLimits, AdmissionQueue
from booking_server.gateway.application import ThreadPool
from booking_server.gateway.coalescing import Key, PendingRequest, Priority, ReservationIntent
from booking_server.gateway.groups import Grouping
from tests.support.rsgi import Scope

SEAT, OTHER = UUID(int=1), UUID(int=2)
EVENT = UUID(int=99)
DEFAULT_LIMITS = AdmissionLimits()


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


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """An event loop that does not wait: instead of a pause its clock moves on. A busy machine delays nothing."""

    def __init__(self) -> None:
        self._now = monotonic()
        super().__init__(_Unwaiting(self))

    def time(self) -> float:
        return self._now

    def pass_time(self, seconds: float) -> None:
        self._now += seconds


class _Unwaiting(selectors.SelectSelector):
    def __init__(self, loop: VirtualTimeLoop) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        assert timeout is not None, "the test waits for something that will not happen"
        self._loop.pass_time(max(0.0, timeout))
        return super().select(0)


class VirtualClock(SystemRuntime):
    """The clock of the running loop. A call to `monotonic` moves it on by `step` seconds besides."""

    def __init__(self) -> None:
        self.step, self._added = 1e-6, 0.0

    def monotonic(self) -> float:
        self._added += self.step
        return asyncio.get_running_loop().time() + self._added


@define(eq=False)
class FixedRate(ServiceRateEstimator):
    """A rate that the test sets."""

    seconds_per_request: float = 0.0

    def estimated_wait(self, queued: int) -> float:
        return queued * self.seconds_per_request


@define(eq=False)
class ManualPool(ThreadPool):
    """A pool of one thread whose tasks the test runs."""

    runtime: Runtime = SYSTEM_RUNTIME
    name: str = "test"
    size: int = 1
    tasks: list[Callable[[], None]] = field(factory=list)

    def submit(self, task: Callable[[], None]) -> None:
        self.tasks.append(task)

    async def run_one(self) -> None:
        """One task, and all that follows from it."""
        self.tasks.pop(0)()
        for _ in range(20):
            await asyncio.sleep(0)

    async def run_all(self) -> None:
        while self.tasks:
            await self.run_one()


@define
class QueueFixture:
    limits: AdmissionLimits
    runtime: Runtime
    grouping: Grouping | None = None
    application: Application = field(factory=Application)
    pool: ManualPool = field(factory=ManualPool)
    rate: FixedRate = field(factory=FixedRate)
    control: AdmissionControl = field(init=False)
    queue: AdmissionQueue = field(init=False)
    admitted: list["asyncio.Future[GatewayResponse]"] = field(factory=list)

    def __attrs_post_init__(self) -> None:
        self.control = AdmissionControl(rate=self.rate)
        self.queue = AdmissionQueue(
            handle=Gateway(self.application, 1, runtime=self.runtime).handle,
            responses=self.application.gateway_responses,
            pool=self.pool,
            loop=asyncio.get_running_loop(),
            runtime=self.runtime,
            control=self.control,
            grouping=self.grouping,
            limits=self.limits,
        )

    def admit(
        self,
        *seats: UUID,
        user: str = "",
        ago: float = 0.0,
        key: str = "",
        priority: Priority = Priority.WRITE,
        path: str = "/api/v1/bookings",
    ) -> "asyncio.Future[GatewayResponse]":
        intent = None
        if seats:
            keys: list[Key] = [("seat", each) for each in seats]
            keys.append(("user", user or object()))
            intent = ReservationIntent(
                body=Body(CreateBooking(EVENT, list(seats)), b""),
                event_id=EVENT,
                seats=frozenset(seats),
                keys=tuple(keys),
                has_idempotency_key=bool(key),
            )
        headers = {"x-correlation-id": "c-1", "idempotency-key": key}
        request = GatewayRequest("POST", headers, self.runtime.monotonic() - ago)
        pending = PendingRequest(request, Scope(path=path), b"", intent, priority, is_reservation=intent is not None)
        self.admitted.append(self.queue.admit(pending))
        return self.admitted[-1]

    async def run_until(self, responses: int) -> None:
        """All tasks, until there are so many responses; between batches there are pauses."""
        while self.pool.tasks or sum(each.done() for each in self.admitted) < responses:
            await (self.pool.run_one() if self.pool.tasks else asyncio.sleep(0.001))

    @property
    def rejected(self) -> float | None:
        labels = {"method": "POST", "route": "", "status": "503", "code": "SERVICE_BUSY"}
        return self.application.registry.get_sample_value("booking_http_requests_total", labels)


def run(
    test: Callable[[QueueFixture], Awaitable[None]],
    limits: AdmissionLimits = DEFAULT_LIMITS,
    runtime: Runtime | None = None,
    grouping: Grouping | None = None,
) -> None:
    async def within_loop() -> None:
        await test(QueueFixture(limits, runtime or VirtualClock(), grouping))

    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        runner.run(within_loop())
