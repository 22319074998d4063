"""The doctor: components are checked concurrently and within a timeout, and one failure does not hide another."""

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from booking_core.domain.errors import BusUnavailable, CatalogUnavailable
from booking_core.ports import Finding, Grade, Health, HealthKind, Workload
from booking_memory.adapter import StoredCatalog
from booking_memory.bus import MemoryEventBus
from booking_memory.store import MemoryStore
from booking_service.composition import AdapterFactory, Composition
from booking_service.doctor.components import Component
from booking_service.doctor.examination import examine, is_healthy
from booking_service.setting_fields import SettingsError
from booking_service.settings import Settings
from tests.support.workers import START

ENVIRON = {
    "BOOKING_DATABASE_URL": "postgresql://booking:hunter22@db/booking",
    "BOOKING_EVENT_BUS": "memory",
    "BOOKING_CATALOG_URL": "http://us:catpass@catalog.example.com",
    "BOOKING_JWT_ISSUER": "https://issuer.example.com/",
    "BOOKING_JWT_AUDIENCE": "booking",
}
WITHOUT_TOKENS = (Component.DATABASE, Component.BROKER, Component.CATALOG)


class AdapterStub:
    """Adapter over a port, with a diagnosis if one is given; records the workloads that it receives."""

    def __init__(self, port: Any, diagnose: Callable[[], Iterable[Finding]] | None = None) -> None:
        self._port = port
        self.workloads: list[Workload] = []
        self.closed = False
        if diagnose is not None:
            self.diagnose = self._recording(diagnose)

    def _recording(self, diagnose: Callable[[], Iterable[Finding]]) -> Callable[[Workload], Iterable[Finding]]:
        def recorded(workload: Workload) -> Iterable[Finding]:
            self.workloads.append(workload)
            return diagnose()

        return recorded

    def __getattr__(self, name: str) -> Any:
        if name == "diagnose":
            raise AttributeError(name)
        return getattr(self._port, name)

    def close(self) -> None:
        self.closed = True


class Adapters:
    """Adapters that a composition finds; each can be replaced."""

    def __init__(self, **replaced: Any) -> None:
        clock: Callable[[], datetime] = lambda: START  # noqa: E731
        self.store = replaced.get("store", MemoryStore(clock=clock))
        self.bus = replaced.get("bus", MemoryEventBus())
        self.catalog = replaced.get("catalog", StoredCatalog())
        self.given: dict[str, Mapping[str, str]] = {}

    def compose(self, settings: Settings) -> Composition:
        ports = {"booking.store": self.store, "booking.event_bus": self.bus, "booking.catalog": self.catalog}

        def find(group: str, name: str) -> AdapterFactory:
            if isinstance(ports[group], Exception):
                raise ports[group]

            def create(given: Mapping[str, str]) -> Any:
                self.given[group] = given
                return ports[group]

            return create

        return Composition(settings, find=find)


def found_by(
    adapters: Adapters, environ: Mapping[str, str] = ENVIRON, *, only: Iterable[Component] = WITHOUT_TOKENS, **how: Any
) -> list[Finding]:
    return list(examine(environ, adapters.compose, only=list(only), clock=how.pop("clock", lambda: START), **how))


def grades(findings: Iterable[Finding]) -> list[tuple[str, str]]:
    return [(finding.check, finding.grade.value) for finding in findings]


def ok(check: str = "database") -> Finding:
    return Finding(check=check, grade=Grade.OK, found="fine")


def test_memory_adapters_report_their_own_diagnosis() -> None:
    findings = found_by(Adapters())

    assert grades(findings) == [
        *(("settings", "ok"), ("database", "warning"), ("clock", "ok")),
        *(("broker", "warning"), ("catalog", "ok")),
    ]
    assert is_healthy(findings), "warnings are no trouble"


def test_adapter_without_diagnosis_is_checked_through_its_port() -> None:
    findings = found_by(
        Adapters(
            store=AdapterStub(MemoryStore()), bus=AdapterStub(MemoryEventBus()), catalog=AdapterStub(StoredCatalog())
        )
    )

    assert grades(findings[1:]) == [
        *(("database", "ok"), ("clock", "trouble")),
        *((f"topic {topic}", "ok") for topic in ("booking.events", "payment.events", "booking.dead-letters")),
        ("catalog", "ok"),
    ]


def test_error_of_a_port_is_a_trouble() -> None:
    class Broken(MemoryStore):
        def __init__(self) -> None:
            super().__init__()
            full = Health(kind=HealthKind.UNREACHABLE, problem="the disk is full", remedy="buy another")
            self.upkeep.health = lambda: full  # type: ignore[method-assign]

    class NoBus(MemoryEventBus):
        def backlog(self, topic: str, group: str) -> Mapping[int, range]:
            raise BusUnavailable(f"{topic} is away")

    class NoCatalog(StoredCatalog):
        def event(self, event_id: UUID) -> None:
            raise CatalogUnavailable

    findings = found_by(
        Adapters(store=AdapterStub(Broken()), bus=AdapterStub(NoBus()), catalog=AdapterStub(NoCatalog()))
    )

    assert (findings[1].found, findings[1].advice) == ("the disk is full", "buy another")
    assert grades(findings[2:]) == [
        ("clock", "skipped"),
        *((f"topic {topic}", "trouble") for topic in ("booking.events", "payment.events", "booking.dead-letters")),
        ("catalog", "trouble"),
    ]
    assert findings[3].found == "booking.events is away"
    assert all(finding.advice for finding in findings if finding.grade is Grade.TROUBLE)


def test_diagnosis_receives_the_workload_and_the_adapter_is_closed() -> None:
    store, bus = AdapterStub(MemoryStore(), lambda: [ok()]), AdapterStub(MemoryEventBus(), lambda: [ok("broker")])
    environ = ENVIRON | {"BOOKING_EVENTS_TOPIC": "told", "BOOKING_DEAD_LETTER_TOPIC": "dead"}

    found_by(Adapters(store=store, bus=bus), environ)
    found_by(Adapters(store=store, bus=bus), environ | {"BOOKING_DB_CONNECTIONS": "8"})

    assert [workload.connections for workload in store.workloads] == [12 + 3, 8 + 3]
    assert bus.workloads[0].topics == ("told", "payment.events", "dead")
    assert bus.workloads[0].group == "booking-core"
    assert store.closed
    assert bus.closed


def test_error_of_a_diagnosis_is_a_trouble_of_that_adapter_alone() -> None:
    def fails() -> Iterator[Finding]:
        yield ok("broker")
        raise RuntimeError("no\nsuch thing")

    findings = found_by(Adapters(bus=AdapterStub(MemoryEventBus(), fails)))

    assert grades(findings[3:]) == [("broker", "ok"), ("broker", "trouble"), ("catalog", "ok")]
    assert findings[4].found == "the check failed with RuntimeError: no such thing"
    assert not is_healthy(findings)


def test_hanging_checks_run_concurrently_and_end_at_the_timeout() -> None:
    over, all_in = threading.Event(), threading.Barrier(3)

    def hangs(check: str) -> Callable[[], Iterator[Finding]]:
        def diagnose() -> Iterator[Finding]:
            all_in.wait(10)
            yield ok(check)
            over.wait(30)

        return diagnose

    adapters = Adapters(
        store=AdapterStub(MemoryStore(), hangs("database")),
        bus=AdapterStub(MemoryEventBus(), hangs("broker")),
        catalog=AdapterStub(StoredCatalog(), hangs("catalog")),
    )
    began = time.monotonic()
    try:
        findings = found_by(adapters, timeout=0.5)
    finally:
        over.set()

    assert time.monotonic() - began < 5
    assert grades(findings[1:]) == [
        (check, grade) for check in ("database", "broker", "catalog") for grade in ("ok", "trouble")
    ]
    assert findings[2].found == "nothing within 0.5 s: given up"


def test_timeout_starts_again_after_each_finding() -> None:
    def slow() -> Iterator[Finding]:
        for _ in range(4):
            time.sleep(0.3)
            yield ok("broker")

    assert (
        grades(found_by(Adapters(bus=AdapterStub(MemoryEventBus(), slow)), only=[Component.BROKER], timeout=0.9)[1:])
        == [("broker", "ok")] * 4
    )


@pytest.mark.parametrize(
    ("skew", "grade"),
    [(0, "ok"), (2, "ok"), (-2, "ok"), (3, "warning"), (-30, "warning"), (31, "trouble"), (-3600, "trouble")],
)
def test_clock_skew_is_graded_by_its_size(skew: float, grade: str) -> None:
    findings = found_by(Adapters(), only=[Component.DATABASE], clock=lambda: START + timedelta(seconds=skew))

    assert grades(findings)[-1] == ("clock", grade)
    assert f"{abs(skew):.3f} s {'behind' if skew < 0 else 'ahead of'} the database's" in findings[-1].found


def test_clock_skew_within_the_time_of_the_answer_is_ok() -> None:
    ticks = iter([START, START + timedelta(seconds=80)])

    findings = found_by(Adapters(), only=[Component.DATABASE], clock=lambda: next(ticks))

    assert grades(findings)[-1] == ("clock", "ok")
    assert "40.000 s ahead of the database's, give or take 40.000 s" in findings[-1].found


def test_refused_setting_is_a_trouble_of_that_adapter_alone() -> None:
    findings = found_by(Adapters(bus=SettingsError("there is no event bus adapter named 'rabbit'")))

    assert grades(findings[3:]) == [("broker", "trouble"), ("catalog", "ok")]


def test_adapter_without_its_extra_is_a_trouble_that_names_it() -> None:
    findings = found_by(Adapters(bus=ModuleNotFoundError("No module named 'kafka'", name="kafka")))

    assert grades(findings[3:]) == [("broker", "trouble"), ("catalog", "ok")]
    assert findings[3].found == 'a library of the extra "kafka" is not installed'
    assert findings[3].advice == "pip install 'booking-core[kafka]'"


def test_catalog_without_a_url_is_skipped() -> None:
    findings = found_by(Adapters(), {**ENVIRON, "BOOKING_CATALOG_URL": ""}, only=[Component.CATALOG])

    assert grades(findings[1:]) == [("catalog", "skipped")]
    assert is_healthy(findings)


@pytest.mark.parametrize("only", [WITHOUT_TOKENS, [Component.BROKER]])
def test_outside_adapter_receives_the_settings_of_other_needs(only: Iterable[Component]) -> None:
    adapters = Adapters()

    found_by(adapters, {**ENVIRON, "BOOKING_WORKER_PORT": "none"}, only=only)

    given = adapters.given["booking.event_bus"]
    assert given["BOOKING_DATABASE_URL"] == ENVIRON["BOOKING_DATABASE_URL"]
    assert "BOOKING_WORKER_PORT" not in given, "it is malformed, and must not end the check"


def test_bus_of_a_running_demo_is_no_trouble() -> None:
    url = "http://127.0.0.1:8000"
    environ = {name: value for name, value in ENVIRON.items() if name != "BOOKING_EVENT_BUS"}

    settings, *findings = found_by(Adapters(), {**environ, "BOOKING_DEV_URL": url})

    assert settings.grade is Grade.OK
    assert [(each.grade, url in each.found) for each in findings if each.check == "broker"] == [(Grade.SKIPPED, True)]
    named = found_by(Adapters(), {**environ, "BOOKING_DEV_URL": url, "BOOKING_EVENT_BUS": "memory"})
    assert Grade.SKIPPED not in [each.grade for each in named if each.check == "broker"]
