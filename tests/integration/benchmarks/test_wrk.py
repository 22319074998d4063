"""What the benchmarks' load generator sees of a service that refuses, or does not answer."""

import shutil
import threading
from collections import Counter
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from attrs import define, field

from benchmarks.environment.ground import request_line
from benchmarks.load import wrk

pytestmark = [
    pytest.mark.skipif(shutil.which("wrk") is None, reason="no wrk: apt-get install wrk"),
    pytest.mark.slow("a request counts as unanswered after two seconds"),
]
CUSTOMERS = 40


@define
class Shop:
    """Refuses each customer's first requests; does not answer the silent one before it is closed."""

    refusals: int = 0
    silent: str = ""
    url: str = ""
    asked: Counter[tuple[str, str]] = field(factory=Counter)
    closed: threading.Event = field(factory=threading.Event)

    def status(self, token: str, key: str) -> int:
        self.asked[token, key] += 1
        return 503 if self.asked[token, key] <= self.refusals else 201


@pytest.fixture
def shop() -> Iterator[Shop]:
    opened = Shop()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            token = self.headers["Authorization"].removeprefix("Bearer ")
            if token == opened.silent:
                self.close_connection = opened.closed.wait()
                return
            self.send_response(opened.status(token, self.headers["Idempotency-Key"]))
            self.send_header("X-Correlation-Id", self.headers["X-Correlation-Id"])
            self.send_header("Content-Length", "0")
            self.end_headers()

        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    opened.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield opened
    opened.closed.set()
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def requests(tmp_path: Path) -> Path:
    file = tmp_path / "requests"
    lines = (request_line(f"token-{n}", "POST", "/", "{}", f"key-{n}") for n in range(CUSTOMERS))
    file.write_text("".join(lines))
    return file


def test_a_refused_request_is_sent_again_with_its_key(shop: Shop, requests: Path) -> None:
    shop.refusals = 2

    seen = wrk.load(shop.url, requests, connections=4, seconds=1, retry=True)

    assert (seen.created, seen.busy, seen.other, seen.unanswered) == (CUSTOMERS, 2 * CUSTOMERS, 0, 0)
    assert shop.asked == {(f"token-{n}", f"key-{n}"): 3 for n in range(CUSTOMERS)}


def test_a_refused_request_that_is_dropped_is_not_sent_again(shop: Shop, requests: Path) -> None:
    shop.refusals = 2

    seen = wrk.load(shop.url, requests, connections=4, seconds=1)

    assert (seen.created, seen.busy, seen.sent) == (0, CUSTOMERS, CUSTOMERS)
    assert seen.exhausted == wrk.THREADS


def test_a_request_without_an_answer_is_counted(shop: Shop, requests: Path) -> None:
    shop.silent = "token-7"

    seen = wrk.load(shop.url, requests, connections=4, seconds=3)

    assert (seen.created, seen.unanswered) == (CUSTOMERS - 1, 1)


def test_an_open_loop_keeps_its_rate(shop: Shop, requests: Path) -> None:
    seen = wrk.load(shop.url, requests, connections=4, seconds=2, rate=15)

    assert seen.sent == pytest.approx(30, abs=3)
    assert seen.exhausted == 0
