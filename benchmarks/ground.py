"""What a benchmark stands on: a PostgreSQL of its own with fsync on, keys for tokens, and `booking serve`."""

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Final

import psycopg

from booking_postgres_embedded import EmbeddedPostgres
from booking_service.dev_tokens import DevTokens

ISSUER: Final = "https://bench.invalid/"
AUDIENCE: Final = "booking-bench"
_READY_SECONDS: Final = 30.0
_PROGRAM: Final = str(Path(sys.executable).with_name("booking"))


class BenchmarkFailed(Exception):
    """The benchmark cannot be run here; the text says why and what to do."""


@contextmanager
def postgres() -> Iterator[EmbeddedPostgres]:
    """A durable server (fsync and synchronous_commit on) with data of its own, gone afterwards."""
    directory = Path(tempfile.mkdtemp(prefix="booking-bench-"))
    server = EmbeddedPostgres(directory, settings={"shared_buffers": "512MB", "max_wal_size": "4GB"})
    try:
        server.start()
        yield server
    finally:
        server.destroy()
        shutil.rmtree(directory, ignore_errors=True)


@contextmanager
def database(server: EmbeddedPostgres, name: str, template: str = "template1") -> Iterator[str]:
    """The URL of a new database on the server, a copy of `template`; dropped afterwards."""
    with psycopg.connect(server.url, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"'.encode())
    try:
        yield url_of(server, name)
    finally:
        with psycopg.connect(server.url, autocommit=True) as connection:
            connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)'.encode())


def url_of(server: EmbeddedPostgres, name: str) -> str:
    """The server's URL with another database."""
    before, _, options = server.url.partition("?")
    return f"{before.rsplit('/', 1)[0]}/{name}?{options}"


@contextmanager
def issuer(tokens: DevTokens) -> Iterator[str]:
    """Serves the issuer's keys over HTTP; its URL."""
    body = json.dumps(tokens.jwks()).encode()

    class Keys(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Keys)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/jwks.json"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def booking(command: str, database_url: str) -> None:
    """Run a command of `booking` on that database."""
    done = subprocess.run([_PROGRAM, command], env=_environment(database_url), capture_output=True, text=True)
    if done.returncode:
        raise BenchmarkFailed(f"`booking {command}` failed: {done.stderr.strip()}")


@contextmanager
def service(database_url: str, jwks_url: str) -> Iterator[str]:
    """`booking serve` as an operator would start it; the URL it answers on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = _environment(database_url) | {
        "BOOKING_JWT_ISSUER": ISSUER,
        "BOOKING_JWT_AUDIENCE": AUDIENCE,
        "BOOKING_JWT_JWKS_URL": jwks_url,
        "BOOKING_LOG_LEVEL": "WARNING",
    }
    process = subprocess.Popen([_PROGRAM, "serve", "--port", str(port)], env=environment)
    try:
        _await_ready(f"http://127.0.0.1:{port}/readyz", process)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(timeout=40)


def _environment(database_url: str) -> dict[str, str]:
    ours = {name: value for name, value in os.environ.items() if not name.startswith("BOOKING_")}
    return ours | {"BOOKING_DATABASE_URL": database_url}


def _await_ready(url: str, process: "subprocess.Popen[bytes]") -> None:
    give_up_at = time.monotonic() + _READY_SECONDS
    while time.monotonic() < give_up_at:
        if process.poll() is not None:
            raise BenchmarkFailed(f"`booking serve` ended with exit code {process.returncode}: see above")
        try:
            with urllib.request.urlopen(url, timeout=1) as answer:
                if answer.status == 200:
                    return
        except OSError:
            time.sleep(0.05)
    raise BenchmarkFailed(f"`booking serve` was not ready within {_READY_SECONDS:.0f} s")
