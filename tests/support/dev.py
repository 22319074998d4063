"""`booking dev` as a process of its own: started, called, stopped and killed."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
from attrs import define, field, frozen

from tests.support.directories import open_directory
from tests.support.processes import free_port, stop

PATIENCE_SECONDS = 60.0


def dev_command(data_dir: Path, port: int, *options: str) -> list[str]:
    program = [sys.executable, "-m", "booking_cli", "dev"]
    return [*program, "--port", str(port), "--data-dir", str(data_dir), *options]


def environment(**settings: str) -> dict[str, str]:
    """Ours without settings of the service, and with these."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("BOOKING_")}
    return {**inherited, "PYTHONPATH": os.pathsep.join(sys.path), **settings}


@frozen
class Answer:
    """What came back."""

    status: int
    body: Any

    @property
    def data(self) -> Any:
        assert self.body["success"] is True, self.body
        return self.body["data"]

    @property
    def error(self) -> tuple[int, str]:
        assert self.body["success"] is False, self.body
        return self.status, self.body["error"]["code"]


@define
class Dev:
    """One run. `printed` is all of its standard output, read up to the last line of the walk."""

    process: subprocess.Popen[str]
    printed: str = ""
    errors: Path = field(kw_only=True)

    @property
    def url(self) -> str:
        return self._variable("API")

    @property
    def event_id(self) -> str:
        """The hall of the walk."""
        return self._variable("EVENT")

    def read_walk(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.printed += line
            if "data['refund']" in line:
                return
        raise AssertionError(f"it ended with {self.process.wait(PATIENCE_SECONDS)} and said: {self.errors.read_text()}")

    def call(self, method: str, path: str, body: Any = None, token: str | None = None) -> Answer:
        headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {})
        data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        try:
            with urlopen(Request(self.url + path, data, headers, method=method), timeout=PATIENCE_SECONDS) as answer:
                return Answer(answer.status, json.load(answer))
        except HTTPError as refusal:
            with refusal:
                return Answer(refusal.code, json.load(refusal))

    def token(self, user: str, *, admin: bool = False) -> str:
        signed = self.call("POST", "/dev/token", {"user": user, "admin": admin})
        return str(signed.data["token"])

    def events(self, token: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.call("GET", "/api/v1/events", token=token).data
        return found

    def free_seats(self, token: str, event_id: str, count: int) -> list[str]:
        seats = self.call("GET", f"/api/v1/events/{event_id}/seats", token=token).data["seats"]
        return [seat["seatId"] for seat in seats if seat["status"] == "AVAILABLE"][:count]

    def hold(self, token: str, event_id: str | None = None, seats: int = 1) -> dict[str, Any]:
        """A booking of free seats."""
        chosen = event_id or self.event_id
        order = {"eventId": chosen, "seatIds": self.free_seats(token, chosen, seats)}
        held = self.call("POST", "/api/v1/bookings", order, token)
        assert held.status == 201, held
        booking: dict[str, Any] = held.data
        return booking

    def pay(self, booking_id: str, outcome: str = "success", **more: Any) -> Answer:
        return self.call("POST", "/dev/payments", {"bookingId": booking_id, "outcome": outcome, **more})

    def booking_when(self, token: str, booking_id: str, met: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """The booking as soon as it is as expected."""
        give_up_at = time.monotonic() + PATIENCE_SECONDS
        while True:
            booking: dict[str, Any] = self.call("GET", f"/api/v1/bookings/{booking_id}", token=token).data
            if met(booking):
                return booking
            assert time.monotonic() < give_up_at, booking
            time.sleep(0.05)

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Ask it to stop; its exit code."""
        self.process.send_signal(number)
        return self.process.wait(PATIENCE_SECONDS)

    def _variable(self, name: str) -> str:
        [value] = [word.partition("=")[2] for word in self.printed.split() if word.startswith(f"{name}=")]
        return value


StartDev = Callable[..., Dev]


@contextmanager
def starting() -> Iterator[StartDev]:
    """Gives a function that starts one and waits until it is ready; all are stopped at the end of the block."""
    with ExitStack() as after:

        def start(
            data_dir: Path, *options: str, port: int | None = None, cwd: Path = Path("/"), **settings: str
        ) -> Dev:
            errors = data_dir.with_suffix(".errors")
            process = subprocess.Popen(
                dev_command(data_dir, port or free_port(), *options),
                env=environment(**settings),
                cwd=cwd,
                stdout=subprocess.PIPE,
                stderr=after.enter_context(errors.open("w")),
                text=True,
                start_new_session=True,
            )
            after.callback(stop, process)
            dev = Dev(process, errors=errors)
            dev.read_walk()
            return dev

        yield start


@pytest.fixture
def start_dev() -> Iterator[StartDev]:
    """Starts one and waits until it is ready."""
    with starting() as start:
        yield start


@pytest.fixture(scope="session")
def dev() -> Iterator[Dev]:
    """One that most tests share: each books as a user of its own."""
    made = open_directory()
    with starting() as start:
        yield start(made / "data")
    shutil.rmtree(made)
