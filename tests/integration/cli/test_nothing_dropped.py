"""SIGTERM and SIGHUP under load: each connection that was established gets its complete response."""

import http.client
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pytest

from tests.integration.cli.connection_load import RATE, ConnectionLoad
from tests.integration.cli.test_graceful_server import Slow, serving, started
from tests.support.processes import wait_until

ROUNDS: Final = [pytest.param(2, marks=pytest.mark.slow), pytest.param(50, marks=pytest.mark.soak)]
"""For 1 and 2 workers: together a hundred signals in the long version."""
# Seconds of load before a signal.
_BEFORE: Final = 0.5
# Seconds: the longest that a client may wait for its connection while workers are replaced.
_CONNECT_P99: Final = 0.25


@contextmanager
def ready(directory: Path, workers: int, delay: float = 0.0) -> Iterator[Slow]:
    """A server that responds at once."""
    with serving(directory, workers, delay=delay) as server:
        started(server, directory)
        server.go()
        yield server


def workers_of(server: Slow) -> set[str]:
    return set(Path(f"/proc/{server.process.pid}/task/{server.process.pid}/children").read_text().split())


def reload(server: Slow) -> None:
    """Replace all workers, and wait until they are others."""
    before = workers_of(server)
    server.process.send_signal(signal.SIGHUP)
    wait_until(lambda: len(workers_of(server) - before) == len(before) == len(workers_of(server)), server.process)


def show(load: ConnectionLoad, what: str) -> None:
    print(
        f"{what}: connected {len(load.connect_seconds)}, answered {load.answered}, last answers {load.last_answers},"
        f" dropped {len(load.dropped)}, late {load.late}, not connected {len(load.not_connected)},"
        f" connect p99 {load.connect_p99 * 1000:.1f} ms"
    )


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("rounds", ROUNDS)
def test_a_stop_under_load_drops_no_connection(tmp_path: Path, workers: int, rounds: int) -> None:
    load = ConnectionLoad()
    for each in range(rounds):
        (tmp_path / str(each)).mkdir()
        with ready(tmp_path / str(each), workers) as server, load.running(server.port):
            time.sleep(_BEFORE)
            server.process.terminate()
            assert server.process.wait(40) == 0

    show(load, f"{rounds} times SIGTERM, {workers} workers")
    assert load.dropped == []
    assert load.last_answers >= rounds
    assert load.answered > rounds * RATE * _BEFORE / 5, "there was load"


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("rounds", ROUNDS)
def test_a_reload_under_load_drops_no_connection(tmp_path: Path, workers: int, rounds: int) -> None:
    with ready(tmp_path, workers) as server:
        load = ConnectionLoad()
        with load.running(server.port):
            for _ in range(rounds):
                time.sleep(_BEFORE)
                reload(server)
        show(load, f"{rounds} times SIGHUP, {workers} workers")
        server.process.terminate()
        assert server.process.wait(40) == 0

    assert load.dropped == load.not_connected == []
    assert load.last_answers
    assert load.connect_p99 <= _CONNECT_P99


@pytest.mark.slow
def test_a_stop_in_the_midst_of_a_reload_drops_no_connection(tmp_path: Path) -> None:
    load = ConnectionLoad()
    for pause in (0.3, 1.1, 1.6):
        directory = tmp_path / str(pause)
        directory.mkdir()
        with ready(directory, workers=1) as server, load.running(server.port):
            server.process.send_signal(signal.SIGHUP)
            time.sleep(pause)
            server.process.terminate()
            assert server.process.wait(60) == 0
    assert load.dropped == []


def test_a_kept_connection_gets_a_last_response_or_is_closed_when_idle(tmp_path: Path) -> None:
    with ready(tmp_path, workers=1) as server:
        idle, late = (http.client.HTTPConnection("127.0.0.1", server.port, timeout=10) for _ in range(2))
        for each in (idle, late):
            each.request("GET", "/")
            response = each.getresponse()
            response.read()
            assert response.getheader("Connection") is None
        server.process.terminate()
        began = time.monotonic()
        time.sleep(0.7)

        late.request("GET", "/")
        assert late.getresponse().getheader("Connection") == "close"

        assert idle.sock.recv(1) == b""
        assert time.monotonic() - began >= 0.95
        assert server.process.wait(20) == 0
        for each in (idle, late):
            each.close()


def test_during_the_stop_delay_new_connections_are_served_and_probes_fail(tmp_path: Path) -> None:
    with ready(tmp_path, workers=2, delay=2.0) as server:
        began = time.monotonic()
        server.process.terminate()
        wait_until(lambda: status(server, "/readyz") == (503, "close"), server.process)
        for _ in range(10):
            assert status(server, "/") == status(server, "/healthz") == (200, "close")
            assert status(server, "/readyz") == (503, "close")
        assert server.process.wait(20) == 0
        assert time.monotonic() - began >= 2.0


def status(server: Slow, path: str) -> tuple[int, str | None]:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
    connection.request("GET", path)
    response = connection.getresponse()
    response.read()
    connection.close()
    return response.status, response.getheader("Connection")
