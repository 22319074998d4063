"""`booking doctor`: everything that the service needs, looked at side by side, and told one finding after the other."""

import threading
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from queue import Empty, SimpleQueue
from typing import Final

from attrs import evolve, frozen

from booking_core.ports import Finding, Grade
from booking_service.doctor.clock import Clock, our_clock
from booking_service.doctor.parts import NEED, Component, Compose, look_at
from booking_service.doctor.settings import CHECK, Environment
from booking_service.extras import install_command, missing_extra
from booking_service.settings import Need, SettingsError

PATIENCE_SECONDS: Final = 8.0
"""How long each finding may take after the one before, for what does not keep its own bounds."""

ALL: Final = tuple(Component)


def examine(
    environ: Mapping[str, str],
    compose: Compose,
    *,
    only: Collection[Component] = ALL,
    clock: Clock = our_clock,
    patience: float = PATIENCE_SECONDS,
) -> Iterator[Finding]:
    """All findings: the settings', then those of each part in order. Nothing is changed, and nothing is raised.

    The parts are looked at side by side, each in a thread of its own, from the first finding that is asked for. What
    does not come to an end is given up and told as a trouble. No finding holds a secret of the environment.
    """
    wanted = [part for part in Component if part in only]
    environment = Environment(environ, list(Need) if wanted == list(ALL) else [NEED[part] for part in wanted])
    looks = [_Look.begun(part.value, _examiner(part, environment, compose, clock)) for part in wanted]
    for findings in (environment.findings(), *(look.findings(patience) for look in looks)):
        for finding in findings:
            yield evolve(
                finding,
                found=environment.without_secrets(finding.found),
                advice=environment.without_secrets(finding.advice),
            )


def is_healthy(findings: Iterable[Finding]) -> bool:
    """Whether there is no trouble. Warnings are none."""
    return all(finding.grade is not Grade.TROUBLE for finding in findings)


def _examiner(
    part: Component, environment: Environment, compose: Compose, clock: Clock
) -> Callable[[], Iterator[Finding]]:
    def examined() -> Iterator[Finding]:
        if environment.faults(NEED[part]):
            yield Finding(check=part.value, grade=Grade.SKIPPED, found=f"not looked at: see {CHECK}")
            return
        try:
            yield from look_at(part, environment.settings(NEED[part]), compose, clock)
        except SettingsError as error:
            advice = "correct that setting, or install the adapter"
            yield Finding(check=part.value, grade=Grade.TROUBLE, found=str(error), advice=advice)
        except ModuleNotFoundError as error:
            extra = missing_extra(error)
            if extra is None:
                raise
            found = f'a library of the extra "{extra}" is not installed'
            yield Finding(check=part.value, grade=Grade.TROUBLE, found=found, advice=install_command(extra))

    return examined


@frozen
class _Look:
    """A part that is being looked at by a thread, which puts its findings, and at last None, with the time into `told`.

    The thread is not waited for: one that hangs ends with the process.
    """

    check: str
    began: float
    told: SimpleQueue[tuple[float, Finding | None]]

    @classmethod
    def begun(cls, check: str, examined: Callable[[], Iterator[Finding]]) -> "_Look":
        look = cls(check, time.monotonic(), SimpleQueue())
        threading.Thread(target=look._run, args=(examined,), name=f"doctor-{check}", daemon=True).start()
        return look

    def findings(self, patience: float) -> Iterator[Finding]:
        last = self.began
        while True:
            try:
                last, finding = self.told.get(timeout=max(0.0, last + patience - time.monotonic()))
            except Empty:
                found = f"nothing within {patience:g} s: given up"
                advice = "see what it hangs on: the network, or a server that is there and does not answer"
                yield Finding(check=self.check, grade=Grade.TROUBLE, found=found, advice=advice)
                return
            if finding is None:
                return
            yield finding

    def _run(self, examined: Callable[[], Iterator[Finding]]) -> None:
        try:
            for finding in examined():
                self.told.put((time.monotonic(), finding))
        except Exception as error:
            # Of an adapter, ours or not: it must not take the other parts' findings with it.
            text = " ".join(str(error).split())
            found, advice = f"the check failed with {type(error).__name__}: {text}", "tell whoever wrote the adapter"
            failed = Finding(check=self.check, grade=Grade.TROUBLE, found=found, advice=advice)
            self.told.put((time.monotonic(), failed))
        finally:
            self.told.put((time.monotonic(), None))
