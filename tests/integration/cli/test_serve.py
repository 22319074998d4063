"""`booking serve` over a real PostgreSQL: its processes, its port, its budget of connections, its metrics."""

import json
import os
import signal
import subprocess
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from types import MappingProxyType

import psycopg

from booking_dev.tokens import DevTokens
from tests.support.processes import TOKENS, booking, free_port, running_booking, wait_until


def get(port: int, path: str, headers: Mapping[str, str] = MappingProxyType({})) -> tuple[int, str]:
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", headers=dict(headers))
    try:
        with urllib.request.urlopen(request, timeout=10) as response:
            return response.status, response.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def is_ready(port: int) -> bool:
    try:
        status, body = get(port, "/readyz")
        return status == 200 or "no_signing_keys" in body  # most tests here need no token
    except (urllib.error.URLError, ConnectionError):
        return False


def workers_of(process: subprocess.Popen[str]) -> list[int]:
    return [int(pid) for pid in Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()]


@contextmanager
def serving(database_url: str, port: int, *arguments: str, **more: str) -> Iterator[subprocess.Popen[str]]:
    with running_booking(database_url, "serve", "--port", str(port), *arguments, **more) as process:
        wait_until(lambda: is_ready(port), process)
        wait_until(lambda: len(workers_of(process)) == 2, process)
        yield process


def test_it_serves_in_two_processes_and_leaves_nothing_behind(database_url: str, tmp_path: Path) -> None:
    port = free_port()
    with serving(database_url, port, TMPDIR=str(tmp_path)) as process:
        assert list(tmp_path.glob("booking-metrics-*"))
        for _ in range(20):
            assert get(port, "/healthz")[0] == 200
        assert get(port, "/api/v1/events")[0] == 401
        _, metrics = get(port, "/metrics")
        process.terminate()
        _, err = process.communicate(timeout=20)

    assert process.returncode == 0, err
    assert json.loads(err.splitlines()[-1])["event"] == "serve.stopped"
    counted = [line for line in metrics.splitlines() if 'route="/healthz"' in line and "requests_total" in line]
    assert [float(line.rpartition(" ")[2]) for line in counted] == [20.0]
    assert list(tmp_path.iterdir()) == []


def test_a_taken_port_is_one_line(database_url: str, tmp_path: Path) -> None:
    port = free_port()
    with serving(database_url, port, TMPDIR=str(tmp_path)):
        refused = booking(database_url, "serve", "--port", str(port), code=1)

    assert f"error: cannot listen on 127.0.0.1:{port}: Address already in use" in refused.stderr


@contextmanager
def jwks(tokens: DevTokens) -> Iterator[str]:
    """An address that answers with the keys of those tokens."""
    body = json.dumps(tokens.jwks()).encode()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}/jwks.json"
        server.shutdown()
        thread.join(60)


def test_connections_never_exceed_the_budget(database_url: str, tmp_path: Path) -> None:
    port, tokens = free_port(), DevTokens(tmp_path, TOKENS["BOOKING_JWT_ISSUER"], TOKENS["BOOKING_JWT_AUDIENCE"])
    headers = {"Authorization": f"Bearer {tokens.sign('ann')}"}
    # Without a line for each request: nobody reads them meanwhile, and a full pipe stops the server.
    quiet = {"BOOKING_LOG_LEVEL": "ERROR", "TMPDIR": str(tmp_path)}
    with (
        jwks(tokens) as url,
        serving(database_url, port, **quiet, BOOKING_DB_CONNECTIONS="4", BOOKING_JWT_JWKS_URL=url),
        ThreadPoolExecutor(32) as clients,
    ):
        answers = set(clients.map(lambda _: get(port, "/api/v1/events", headers)[0], range(600)))
        with psycopg.connect(database_url) as connection:
            row = connection.execute(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
            ).fetchone()

    assert answers == {200}
    assert row is not None
    assert 2 <= row[0] <= 4


def test_too_few_connections_are_refused(database_url: str) -> None:
    refused = booking(database_url, "serve", "--workers", "3", code=2, BOOKING_DB_CONNECTIONS="2")

    assert refused.stderr.startswith("error: BOOKING_DB_CONNECTIONS must be at least 3")


def test_workers_do_not_outlive_a_killed_parent(database_url: str, tmp_path: Path) -> None:
    port = free_port()
    with serving(database_url, port, TMPDIR=str(tmp_path)) as process:
        workers = workers_of(process)
        process.send_signal(signal.SIGKILL)
        process.wait(10)

        wait_until(lambda: not any(is_running(pid) for pid in workers))


def is_running(pid: int) -> bool:
    """Neither gone nor a zombie that waits for its new parent."""
    try:
        os.kill(pid, 0)
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (ProcessLookupError, FileNotFoundError):
        return False
    return state != "Z"
