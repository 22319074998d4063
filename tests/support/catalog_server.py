"""A Catalog Service on a port of its own that answers, lies or keeps silent as a test tells it."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Lock, Thread
from typing import Any

Answer = Callable[["Handler"], None]


class CatalogServer(ThreadingHTTPServer):
    """`answers` are given one per request, in order; after them `answer`, for ever."""

    daemon_threads = False  # closing waits for every handler: a test leaves no thread behind
    request_queue_size = 64

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        self.answer: Answer = reply(500)
        self.answers: list[Answer] = []
        self.paths: list[str] = []
        self.headers: list[dict[str, str]] = []
        self.connections = 0
        self.over = Event()
        self.lock = Lock()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that give up in the middle of an answer are what these tests are about."""


class Handler(BaseHTTPRequestHandler):
    """Records the request, then does what the server was told."""

    protocol_version = "HTTP/1.1"
    timeout = 5.0  # for the next request, so that a client that a failed test left open does not hold up the end
    server: CatalogServer

    def setup(self) -> None:
        super().setup()
        with self.server.lock:
            self.server.connections += 1

    def do_GET(self) -> None:
        with self.server.lock:
            self.server.paths.append(self.path)
            self.server.headers.append(dict(self.headers))
            answer = self.server.answers.pop(0) if self.server.answers else self.server.answer
        answer(self)

    def log_message(self, format: str, *args: Any) -> None:
        """Not on the terminal of the tests."""


def reply(status: int, body: bytes | str = b"", **headers: str) -> Answer:
    """A whole answer, as it is."""
    content = body.encode() if isinstance(body, str) else body

    def answer(handler: Handler) -> None:
        handler.send_response(status)
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.send_header("Content-Length", str(len(content)))
        handler.end_headers()
        handler.wfile.write(content)

    return answer


def says(data: Any) -> Answer:
    """The contract's answer with this data."""
    return reply(200, json.dumps({"success": True, "data": data}), Content_Type="application/json")


def silence(handler: Handler) -> None:
    """Takes the request and never answers."""
    handler.server.over.wait(60)


def hang_up(handler: Handler) -> None:
    """Closes the connection without a word."""
    handler.close_connection = True


def drip(start: bytes, drop: bytes) -> Answer:
    """`start` at once, then `drop` every 20 ms, for ever: no single read is ever late."""

    def answer(handler: Handler) -> None:
        handler.close_connection = True
        handler.wfile.write(start)
        while not handler.server.over.wait(0.02):
            handler.wfile.write(drop)

    return answer


@contextmanager
def running() -> Iterator[CatalogServer]:
    server = CatalogServer()
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server
    finally:
        server.over.set()
        server.shutdown()
        thread.join(60)
        server.server_close()
