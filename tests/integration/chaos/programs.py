"""`booking COMMAND` as a supervisor keeps it: killed at will, started again, and all that it says is kept."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

PATIENCE_SECONDS: Final = 60.0
_OURS: Final = "booking_"


class Program:
    """One place in which the same command runs, one life after the other. Used by one thread."""

    def __init__(self, name: str, *command: str, environment: Mapping[str, str], directory: Path) -> None:
        self.name = name
        self.lives = 0
        self._command, self._environment, self._directory = command, environment, directory
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def is_alive(self) -> bool:
        """Whether it runs (or is frozen)."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Start it; does nothing if it runs."""
        if self.is_alive:
            return
        self.lives += 1
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "booking_cli", *self._command],
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def kill(self) -> None:
        """kill -9, and wait until it is gone. Does nothing if it does not run."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(60)

    def stop(self) -> None:
        """As an operator does it; it must end well."""
        assert self._process is not None, f"{self.name} was never started"
        self._process.terminate()
        assert self._process.wait(PATIENCE_SECONDS) == 0, self.describe()

    def freeze(self) -> None:
        """SIGSTOP."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """SIGCONT."""
        self._signal(signal.SIGCONT)

    def wait(self) -> int:
        """Its exit code, once it has ended by itself."""
        assert self._process is not None, f"{self.name} was never started"
        return self._process.wait(PATIENCE_SECONDS)

    def await_started(self) -> None:
        """Return when this life has said that its jobs begin."""
        give_up_at = time.monotonic() + PATIENCE_SECONDS
        while not any(str(said.get("event", "")).endswith(".started") for said in _records(self._log, ".started")):
            assert self.is_alive, self.describe()
            assert time.monotonic() < give_up_at, self.describe()
            time.sleep(0.01)

    def assert_alive(self) -> None:
        """Fails if it has ended, which only we may make it do."""
        assert self.is_alive, self.describe()

    def assert_no_bugs(self) -> None:
        """Fails if any life met an error that is no outage: the jobs try again after one, and hide it from the rest."""
        for life in range(1, self.lives + 1):
            for said in _records(self._log_of(life), "error", "critical"):
                ours = str(said.get("logger", "")).startswith(_OURS)
                assert not (ours and said.get("level") in ("error", "critical")), f"{self.name}, life {life}: {said}"

    def describe(self) -> str:
        """How it ended, and the last of what it said, for whoever reads a failed test."""
        if self._process is None:
            return f"{self.name} was never started"
        said = self._log.read_text(errors="replace")[-3000:]
        return f"{self.name}, life {self.lives}, exit code {self._process.poll()}, last said:\n{said}"

    @property
    def _log(self) -> Path:
        return self._log_of(self.lives)

    def _log_of(self, life: int) -> Path:
        return self._directory / f"{self.name}.{life}.log"

    def _signal(self, number: signal.Signals) -> None:
        assert self._process is not None, f"{self.name} was never started"
        os.kill(self._process.pid, number)


def _records(log: Path, *words: str) -> Iterator[Mapping[str, Any]]:
    """The lines of a log that are whole and hold one of the words."""
    for line in log.read_text(errors="replace").splitlines():
        if not any(word in line for word in words):
            continue  # there are many, and most need not be understood
        try:
            said = json.loads(line)
        except ValueError:
            continue  # the last line of a killed program, or what Python itself has said
        if isinstance(said, dict):
            yield said
