"""`booking serve` on a database: its address, when it is ready, and what it says and uses while it serves."""

import re
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from attrs import frozen

from benchmarks.environment.databases import ask
from benchmarks.environment.programs import PROGRAM, Program, free_port, running_booking
from benchmarks.errors import BenchmarkFailed
from benchmarks.measuring.processes import NOT_AVAILABLE, cpu_seconds, postmaster_of

# As many as `booking serve` starts unless it is told otherwise.
_PROCESSES: Final = 2
_ASKED_AT_A_TIME: Final = 8
_READY_SECONDS: Final = 30.0
_TIMEOUT_SECONDS: Final = 5.0


@frozen(kw_only=True)
class Used:
    """CPU seconds: of `booking serve` with all its processes, and of PostgreSQL with all of its own."""

    service: float
    postgres: float

    def __sub__(self, before: "Used") -> "Used":
        return Used(service=self.service - before.service, postgres=self.postgres - before.postgres)


@frozen(kw_only=True)
class Service:
    """A `booking serve` that runs."""

    address: str
    database_url: str
    program: Program
    postmaster: int

    def used(self) -> Used:
        """CPU since the start of both; NOT_AVAILABLE on other systems than Linux."""
        return Used(service=cpu_seconds(self.program.pid), postgres=cpu_seconds(self.postmaster))

    def metric(self, name: str) -> float:
        """The sum of all series of that name at /metrics; NOT_AVAILABLE if there is none."""
        with urllib.request.urlopen(f"{self.address}/metrics", timeout=_TIMEOUT_SECONDS) as answer:
            text = answer.read().decode()
        found = re.findall(rf"^{name}(?:{{.*}})? (\S+)$", text, re.MULTILINE)
        return sum(map(float, found)) if found else NOT_AVAILABLE


@contextmanager
def serving(database_url: str, *, program: str = PROGRAM, **settings: str) -> Iterator[Service]:
    """`booking serve` with all its processes ready."""
    with starting(database_url, program=program, **settings) as service:
        await_ready(service)
        yield service


@contextmanager
def starting(database_url: str, *, program: str = PROGRAM, **settings: str) -> Iterator[Service]:
    """`booking serve` that has only just been started."""
    port, postmaster = free_port(), postmaster_of(database_url)
    arguments = ("serve", "--host", "127.0.0.1", "--port", str(port))
    with running_booking(database_url, *arguments, program=program, **settings) as started:
        yield Service(
            address=f"http://127.0.0.1:{port}", database_url=database_url, program=started, postmaster=postmaster
        )


def await_ready(service: Service) -> None:
    """Ask `booking serve`, on a new connection each time, until every process has answered.

    Load that came before would stay with one.
    A process that has answered has a connection to the database, and asked one by one it needs no second.
    """
    count = (
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'booking-core'"
    )
    give_up_at = time.monotonic() + _READY_SECONDS
    while time.monotonic() < give_up_at:
        service.program.alive()
        ready = all(is_ready(service.address) for _ in range(_ASKED_AT_A_TIME))
        if ready and ask(service.database_url, count)[0] >= _PROCESSES:
            return
        time.sleep(0.05)
    raise BenchmarkFailed(f"`booking serve` was not ready within {_READY_SECONDS:.0f} s")


def is_ready(address: str) -> bool:
    """Whether what listens there answers /readyz with 200."""
    try:
        with urllib.request.urlopen(f"{address}/readyz", timeout=1) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False
