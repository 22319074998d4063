"""`booking doctor`: check the settings and all components concurrently, and yield the findings in order."""

import threading
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from queue import Empty, SimpleQueue
from typing import Final

from attrs import evolve, frozen

from booking_core.ports import Finding, Grade
from booking_service.doctor.components import Clock, Component, Compose, check_component, server_clock
from booking_service.doctor.settings import CHECK, DEV_URL, Environment
from booking_service.extras import install_command, missing_extra
from booking_service.setting_fields import Need, SettingsError

TIMEOUT_SECONDS: Final = 8.0
"""Longest time between two findings of a component. Adapters keep shorter timeouts of their own."""

ALL: Final = tuple(Component)


def examine(
    environ: Mapping[str, str],
    compose: Compose,
    *,
    only: Collection[Component] = ALL,
    clock: Clock = server_clock,
    timeout: float = TIMEOUT_SECONDS,
) -> Iterator[Finding]:
    """Yield the findings of the settings and then of each component in order. Changes nothing and raises nothing.

    The components are checked concurrently, each in its own thread, from the first finding that the caller takes. A
    check that does not end in time is abandoned and reported as TROUBLE. No finding holds a secret of the environment.
    """
    components = [component for component in Component if component in only]
    needs = set(Need) if components == list(ALL) else {component.need for component in components}
    if has_bus_of_dev(environ):
        needs.discard(Need.EVENT_BUS)
    environment = Environment(environ, [need for need in Need if need in needs])
    checks = [_RunningCheck.start(each.value, _findings(each, environment, compose, clock)) for each in components]
    for findings in (environment.findings(), *(check.findings(timeout) for check in checks)):
        for finding in findings:
            yield evolve(
                finding,
                found=environment.without_secrets(finding.found),
                advice=environment.without_secrets(finding.advice),
            )


def has_bus_of_dev(environ: Mapping[str, str]) -> bool:
    """Whether these are the settings of a running `booking dev` whose event bus is inside its own process."""
    named = (environ.get(name) for name in ("BOOKING_EVENT_BUS", "BOOKING_KAFKA_BOOTSTRAP_SERVERS"))
    return bool(environ.get(DEV_URL)) and not any(named)


def is_healthy(findings: Iterable[Finding]) -> bool:
    """Whether no finding is a TROUBLE."""
    return all(finding.grade is not Grade.TROUBLE for finding in findings)


def _findings(
    component: Component, environment: Environment, compose: Compose, clock: Clock
) -> Callable[[], Iterator[Finding]]:
    name = component.value

    def findings() -> Iterator[Finding]:
        if component is Component.BROKER and has_bus_of_dev(environment.variables):
            found = f"not used: `booking dev` at {environment.variables[DEV_URL]} has its bus inside its process"
            yield Finding(check=name, grade=Grade.SKIPPED, found=found)
            return
        if environment.faults(component.need):
            yield Finding(check=name, grade=Grade.SKIPPED, found=f"not looked at: see {CHECK}")
            return
        try:
            yield from check_component(
                component, environment.settings(*_needs_of(component, environment)), compose, clock
            )
        except SettingsError as error:
            advice = "correct that setting, or install the adapter"
            yield Finding(check=name, grade=Grade.TROUBLE, found=str(error), advice=advice)
        except ModuleNotFoundError as error:
            extra = missing_extra(error)
            if extra is None:
                raise
            found = f'a library of the extra "{extra}" is not installed'
            yield Finding(check=name, grade=Grade.TROUBLE, found=found, advice=install_command(extra))

    return findings


def _needs_of(component: Component, environment: Environment) -> Iterator[Need]:
    """The need of the component; for the Catalog also the database, if it is configured: it knows the events."""
    yield component.need
    if component is Component.CATALOG and not environment.faults(Need.DATABASE):
        yield Need.DATABASE


@frozen
class _RunningCheck:
    """A check that runs in a daemon thread. `results` receives each finding with its time, and None at the end.

    No caller joins the thread: a check that hangs ends with the process.
    """

    name: str
    started: float
    results: SimpleQueue[tuple[float, Finding | None]]

    @classmethod
    def start(cls, name: str, findings: Callable[[], Iterator[Finding]]) -> "_RunningCheck":
        running = cls(name, time.monotonic(), SimpleQueue())
        threading.Thread(target=running._run, args=(findings,), name=f"doctor-{name}", daemon=True).start()
        return running

    def findings(self, timeout: float) -> Iterator[Finding]:
        last = self.started
        while True:
            try:
                last, finding = self.results.get(timeout=max(0.0, last + timeout - time.monotonic()))
            except Empty:
                found = f"nothing within {timeout:g} s: given up"
                advice = "see what it hangs on: the network, or a server that is there and does not answer"
                yield Finding(check=self.name, grade=Grade.TROUBLE, found=found, advice=advice)
                return
            if finding is None:
                return
            yield finding

    def _run(self, findings: Callable[[], Iterator[Finding]]) -> None:
        try:
            for finding in findings():
                self.results.put((time.monotonic(), finding))
        except Exception as error:
            # An adapter may raise anything; the findings of the other components must still be shown.
            text = " ".join(str(error).split())
            found, advice = f"the check failed with {type(error).__name__}: {text}", "tell whoever wrote the adapter"
            failed = Finding(check=self.name, grade=Grade.TROUBLE, found=found, advice=advice)
            self.results.put((time.monotonic(), failed))
        finally:
            self.results.put((time.monotonic(), None))
