"""A JWKS server on a free port, whose answers the test chooses, and what the tests of the keys share."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from booking_dev.tokens import DevTokens
from tests.support.processes import TOKENS


class Jwks:
    """A JWKS address whose answer the test chooses. A request is answered with what was published when it came, and
    not before the `gate` of that moment is open."""

    def __init__(self) -> None:
        self.status, self.body = 200, b""
        self.fetches = 0
        self.gate = threading.Event()
        self.gate.set()
        self.reached = threading.Semaphore(0)
        jwks = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                gate, status, body = jwks.gate, jwks.status, jwks.body
                jwks.fetches += 1
                jwks.reached.release()
                gate.wait(30)
                with suppress(ConnectionError):  # of a client that has given up
                    self.send_response(status)
                    self.send_header("Location", "/elsewhere")
                    self.send_header("Content-Length", str(len(body)))
                    self.end_headers()
                    self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """Nothing: the tests count."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/.well-known/jwks.json"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()

    def publish(self, *issuers: DevTokens) -> None:
        self.status = 200
        self.body = json.dumps({"keys": [key for each in issuers for key in each.jwks()["keys"]]}).encode()

    def stop(self) -> None:
        self.gate.set()
        settle()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(60)


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def kid(issuer: DevTokens) -> str:
    text: str = issuer.jwks()["keys"][0]["kid"]
    return text


def settle() -> None:
    """Return when no fetch is under way: each has a thread of its own, named for what it does."""
    for thread in threading.enumerate():
        if thread.name == "jwks":
            thread.join(10)


@pytest.fixture(scope="session")
def tokens(tmp_path_factory: pytest.TempPathFactory) -> DevTokens:
    """Tokens signed two hours ago, for a day: a server whose clock is an hour off finds them valid too."""
    return DevTokens(
        tmp_path_factory.mktemp("issuer"),
        TOKENS["BOOKING_JWT_ISSUER"],
        TOKENS["BOOKING_JWT_AUDIENCE"],
        clock=lambda: time.time() - 7200,
    )


@pytest.fixture(scope="session")
def jwks(tokens: DevTokens) -> Iterator[Jwks]:
    """The address where the keys of `tokens` are; tests that change its answers make one of their own."""
    server = Jwks()
    server.publish(tokens)
    yield server
    server.stop()
