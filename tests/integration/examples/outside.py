"""An environment as users of the library have it: the wheel and the example bus installed, and nothing else of ours."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

import httpx2
from attrs import frozen

from tests.integration.test_wheel import ROOT, build, uv
from tests.support.processes import free_port

EXAMPLES: Final = ROOT / "examples"
_INSTALLED: Final = ("fastapi", "pytest")
_PATIENCE_SECONDS: Final = 60.0


@frozen
class Outside:
    """A virtual environment. Its programs see the examples beside it, but not this checkout's sources."""

    venv: Path

    @property
    def python(self) -> Path:
        return self.venv / "bin/python"

    def environment(self, more: Mapping[str, str]) -> dict[str, str]:
        ours = ("BOOKING_", "SHOP_", "PYTEST_", "PROMETHEUS_", "PYTHONPATH", "VIRTUAL_ENV")
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
        beside = {"PYTHONPATH": str(EXAMPLES), "PYTHONPYCACHEPREFIX": str(self.venv / "cache")}
        return inherited | beside | dict(more)

    def run(self, *command: str | Path, cwd: Path, timeout: float = 100, **more: str) -> str:
        """What a program of the environment printed; it must succeed."""
        name, *arguments = command
        done = subprocess.run(
            [self.venv / "bin" / name, *arguments],
            cwd=cwd,
            env=self.environment(more),
            capture_output=True,
            text=True,
            timeout=timeout,
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    @contextmanager
    def running(self, *command: str | Path, cwd: Path, **more: str) -> Iterator[subprocess.Popen[str]]:
        """A program of the environment, asked to stop at the end, with its children; what it said goes to a file."""
        name, *arguments = command
        with (cwd / f"{name}.log").open("a") as log:
            process = subprocess.Popen(
                [self.venv / "bin" / name, *arguments],
                cwd=cwd,
                env=self.environment(more),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                text=True,
                start_new_session=True,
            )
            try:
                yield process
                process.terminate()
                process.wait(20)
            finally:
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                process.wait(60)

    @contextmanager
    def serving(self, interface: str, app: str, *, cwd: Path, **more: str) -> Iterator[httpx2.Client]:
        """A client of the application, which granian serves: `interface` is wsgi or asgi, `app` a factory."""
        port = free_port()
        threads = ("--blocking-threads", "8") if interface == "wsgi" else ()
        command = ("--interface", interface, "--factory", "--port", str(port), *threads, app)
        with (
            self.running("granian", *command, cwd=cwd, **more) as process,
            httpx2.Client(base_url=f"http://127.0.0.1:{port}", timeout=20) as client,
        ):
            _await_answer(client, process, cwd / "granian.log")
            yield client


def make_outside(directory: Path) -> Outside:
    """A new environment with the versions of our lock."""
    constraints = ROOT / "requirements.lock"
    service = f"{build('wheel', ROOT, directory / 'booking')}[service]"
    bus = build("wheel", EXAMPLES / "sqlite_bus", directory / "bus")
    uv("venv", "--python", sys.executable, directory / "venv", cwd=directory)
    into = ("--python", directory / "venv", "--constraint", constraints)
    uv("pip", "install", *into, service, bus, *_INSTALLED, cwd=directory)
    return Outside(directory / "venv")


def _await_answer(client: httpx2.Client, process: subprocess.Popen[str], log: Path) -> None:
    give_up_at = time.monotonic() + _PATIENCE_SECONDS
    while True:
        try:
            client.get("/")
            return
        except httpx2.TransportError:
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < give_up_at, log.read_text()
        time.sleep(0.05)
