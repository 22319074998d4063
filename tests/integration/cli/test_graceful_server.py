"""How worker processes are stopped and replaced."""

import os
import signal
import socket
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.processes import environment, free_port, running, wait_until

SERVER = str(Path(__file__).with_name("slow_server.py"))


class Slow:
    """The server, and requests to it."""

    def __init__(self, process: subprocess.Popen[str], port: int, directory: Path) -> None:
        self.process, self.port, self._directory = process, port, directory
        self._threads = ThreadPoolExecutor(8)

    def begin(self) -> "Answer":
        """A request that has reached a worker."""
        before = self._began()
        answer = Answer(self._threads.submit(self.ask).result)
        wait_until(lambda: bool(self._began() - before), self.process)
        return answer

    def ask(self) -> int:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/", timeout=30) as response:
            return int(response.read())

    def go(self) -> None:
        (self._directory / "go").touch()

    def is_up(self) -> bool:
        try:
            self.ask()
        except (urllib.error.URLError, ConnectionError):
            return False
        return True

    def accepts(self) -> bool:
        """Whether anybody listens."""
        with socket.socket() as probe:
            probe.settimeout(1)
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def close(self) -> None:
        self._threads.shutdown()

    def _began(self) -> set[str]:
        return {path.name for path in self._directory.glob("began-*")}


class Answer:
    """What will have been answered."""

    def __init__(self, result: object) -> None:
        self._result = result

    def pid(self) -> int:
        assert callable(self._result)
        return int(self._result(timeout=30))


@contextmanager
def serving(directory: Path, workers: int = 1, mode: str = "strict", delay: float = 0.0) -> Iterator[Slow]:
    port = free_port()
    with running(SERVER, str(port), str(directory), str(workers), mode, str(delay), **environment("")) as process:
        slow = Slow(process, port, directory)
        try:
            yield slow
        finally:
            slow.go()
            slow.close()


def started(slow: Slow, directory: Path) -> int:
    """The pid of a worker that answers."""
    (directory / "go").touch()
    wait_until(slow.is_up, slow.process)
    pid = slow.ask()
    (directory / "go").unlink()
    for began in directory.glob("began-*"):
        began.unlink()
    return pid


def is_told_to_end(worker: int) -> bool:
    """Whether it has heard the first SIGTERM: from then on it ignores them."""
    status = Path(f"/proc/{worker}/status").read_text()
    [ignored] = [line.split()[1] for line in status.splitlines() if line.startswith("SigIgn:")]
    return bool(int(ignored, 16) & (1 << (signal.SIGTERM - 1)))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_requests_in_flight_are_answered_before_the_end(tmp_path: Path, number: signal.Signals) -> None:
    with serving(tmp_path) as slow:
        worker = started(slow, tmp_path)
        answer = slow.begin()

        slow.process.send_signal(number)
        if number is signal.SIGINT:
            os.kill(worker, number)  # a ^C reaches the whole group
        wait_until(lambda: not slow.accepts())
        with pytest.raises(subprocess.TimeoutExpired):
            slow.process.wait(1.5)  # asked again and again meanwhile
        slow.go()

        assert answer.pid() == worker
        assert slow.process.wait(20) == 0


def test_a_worker_that_ends_just_before_the_stop_has_not_failed(tmp_path: Path) -> None:
    """As when ^C reaches it first."""
    with serving(tmp_path) as slow:
        worker = started(slow, tmp_path)

        slow.process.send_signal(signal.SIGSTOP)
        os.kill(worker, signal.SIGKILL)
        slow.process.terminate()
        slow.process.send_signal(signal.SIGCONT)

        assert slow.process.wait(20) == 0


def test_a_worker_that_is_still_starting_ends_too(tmp_path: Path) -> None:
    (tmp_path / "slow").touch()
    with serving(tmp_path) as slow:
        wait_until((tmp_path / "loading").exists, slow.process)

        slow.process.terminate()

        assert slow.process.wait(10) == 0


def test_a_worker_that_dies_is_replaced(tmp_path: Path) -> None:
    with serving(tmp_path, mode="replace") as slow:
        worker = started(slow, tmp_path)

        os.kill(worker, signal.SIGKILL)

        assert started(slow, tmp_path) != worker
        slow.process.terminate()
        assert slow.process.wait(20) == 0


def test_a_worker_that_dies_young_ends_the_whole(tmp_path: Path) -> None:
    with serving(tmp_path) as slow:
        worker = started(slow, tmp_path)

        os.kill(worker, signal.SIGKILL)

        assert slow.process.wait(20) == 4


def test_a_worker_that_can_not_start_ends_the_whole(tmp_path: Path) -> None:
    (tmp_path / "broken").touch()
    with serving(tmp_path, workers=2) as slow:
        assert slow.process.wait(20) == 4


def test_a_reload_replaces_workers_one_after_the_other_and_never_side_by_side(tmp_path: Path) -> None:
    with serving(tmp_path) as slow:
        worker = started(slow, tmp_path)
        answer = slow.begin()

        slow.process.send_signal(signal.SIGHUP)
        wait_until(lambda: is_told_to_end(worker), slow.process)
        children = Path(f"/proc/{slow.process.pid}/task/{slow.process.pid}/children")
        assert children.read_text().split() == [str(worker)]
        slow.go()
        assert answer.pid() == worker

        assert started(slow, tmp_path) != worker
        slow.process.terminate()
        assert slow.process.wait(20) == 0


def test_who_comes_while_the_only_worker_is_replaced_waits_for_the_next(tmp_path: Path) -> None:
    with serving(tmp_path) as slow:
        worker = started(slow, tmp_path)
        answer = slow.begin()
        slow.process.send_signal(signal.SIGHUP)
        wait_until(lambda: is_told_to_end(worker), slow.process)

        assert slow.accepts()
        slow.go()

        assert answer.pid() == worker
        wait_until(lambda: slow.ask() != worker, slow.process)
        slow.process.terminate()
        assert slow.process.wait(20) == 0


def test_nobody_is_sent_to_a_worker_that_is_not_there_yet(tmp_path: Path) -> None:
    with serving(tmp_path, workers=2) as slow:
        started(slow, tmp_path)
        children = Path(f"/proc/{slow.process.pid}/task/{slow.process.pid}/children")
        before = set(children.read_text().split())
        (tmp_path / "loading").unlink()
        (tmp_path / "slow").touch()
        (tmp_path / "go").touch()
        slow.process.send_signal(signal.SIGHUP)
        wait_until((tmp_path / "loading").exists, slow.process)

        asked = {str(slow.ask()) for _ in range(20)}

        assert len(asked) == 1
        assert asked == before & set(children.read_text().split())
        (tmp_path / "slow").unlink()
        wait_until(lambda: not asked & set(children.read_text().split()), slow.process)
        wait_until(lambda: len({slow.ask() for _ in range(20)}) == 2, slow.process)  # both are asked again
        slow.process.terminate()
        assert slow.process.wait(20) == 0
