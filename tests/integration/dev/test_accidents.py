"""How `booking dev` ends, begins again, and says why it can't: nothing booked is lost, nothing is left behind."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

from tests.support.dev import Dev, StartDev, dev_command, environment
from tests.support.postgres.fixtures import FreshDatabase
from tests.support.processes import free_port, kill


def refused(*command: str, **settings: str) -> tuple[int, str]:
    """Exit code and the one line of a start that fails; it must not print anything else."""
    done = subprocess.run(command, env=environment(**settings), capture_output=True, text=True, timeout=60, cwd="/")
    [line] = done.stderr.splitlines()
    assert done.stdout == ""
    return done.returncode, line


def wait_until(holds: Callable[[], object]) -> None:
    give_up_at = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < give_up_at
        time.sleep(0.005)


def starts(dev: Dev, token: str) -> list[datetime]:
    return [datetime.fromisoformat(event["startsAt"]) for event in dev.events(token)]


def is_soon_again(moments: list[datetime]) -> bool:
    """One event starts in 20 hours from now, one in 40 days."""
    now = datetime.now(UTC)
    awaited = (now + timedelta(hours=20), now + timedelta(days=40))
    return all(any(abs(moment - each) < timedelta(minutes=2) for moment in moments) for each in awaited)


def test_bookings_outlive_a_kill_and_events_move_on(start_dev: StartDev, directory: Path) -> None:
    first = start_dev(directory / "data")
    loaded_by = time.monotonic()
    ann = first.token("ann")
    held, paid = first.hold(ann, seats=2), first.hold(ann)
    first.pay(paid["bookingId"])
    confirmed = first.booking_when(ann, paid["bookingId"], lambda booking: booking["status"] == "CONFIRMED")
    before = starts(first, ann)
    assert is_soon_again(before)
    first.process.kill()
    first.process.wait(60)
    # The starts of events are in whole seconds.
    time.sleep(max(0.0, loaded_by + 1 - time.monotonic()))

    second = start_dev(directory / "data")

    # The token is the old one: the key is kept as well.
    assert second.call("GET", f"/api/v1/bookings/{held['bookingId']}", token=ann).data == held
    assert second.call("GET", f"/api/v1/bookings/{paid['bookingId']}", token=ann).data == confirmed
    after = starts(second, ann)
    assert is_soon_again(after)
    assert all(new > old for old, new in zip(before, after, strict=True))
    assert len(second.free_seats(ann, second.event_id, 2000)) == 1997
    assert second.stop(signal.SIGTERM) == 0


def test_it_stops_cleanly_with_customers_connected(start_dev: StartDev, directory: Path) -> None:
    dev = start_dev(directory / "data")
    port = int(dev.url.rpartition(":")[2])
    with socket.create_connection(("127.0.0.1", port)) as idle:
        idle.sendall(b"GET /healthz HTTP/1.1\r\nHost: here\r\n\r\n")
        assert b"200" in idle.recv(4096)
        asked_at = time.monotonic()
        assert dev.stop(signal.SIGINT) == 0
    # Two seconds on a machine that has time; the tests' one may be busy.
    assert time.monotonic() - asked_at < 6
    assert dev.errors.read_text() == ""
    assert running_in(directory) == []
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(("127.0.0.1", port))


def running_in(directory: Path) -> list[str]:
    """The command lines of all processes that were started for this directory."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = entry.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:  # it has just ended
            continue
        if str(directory) in line:
            found.append(line)
    return found


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_while_it_starts_ends_it_at_once(directory: Path, number: signal.Signals) -> None:
    data = directory / "data"
    command = dev_command(data, free_port())
    process = subprocess.Popen(
        command, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    try:
        # A first start: PostgreSQL initialises its data, which takes a second or more.
        wait_until(lambda: process.poll() is not None or any(data.glob("postgres/init-*/PG_VERSION")))
        sent_at = time.monotonic()
        process.send_signal(number)
        printed, errors = process.communicate(timeout=60)
    finally:
        kill(process)

    assert time.monotonic() - sent_at < 5
    assert (process.returncode, printed, errors.strip()) == (1, "", "error: interrupted")
    assert not (data / "postgres" / "data").exists()
    assert not (data / "environment.sh").exists()


def test_a_taken_port_is_said_before_anything_is_started(directory: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        code, line = refused(*dev_command(directory / "data", port))
    assert (code, line) == (
        1,
        f"error: cannot listen on 127.0.0.1:{port}: Address already in use; choose another with --port",
    )
    assert list(directory.iterdir()) == []


def test_a_second_one_in_the_same_directory_is_told_who_has_it(dev: Dev) -> None:
    data_dir = dev.errors.with_suffix("")
    code, line = refused(*dev_command(data_dir, free_port()))
    assert code == 1
    assert f"is already in use by process {dev.process.pid}" in line
    assert dev.call("GET", "/dev").status == 200


def test_a_second_one_on_the_same_port_is_told_so(dev: Dev, directory: Path) -> None:
    code, line = refused(*dev_command(directory / "data", int(dev.url.rpartition(":")[2])))
    assert code == 1
    assert "Address already in use" in line


def test_a_malformed_setting_is_said_before_anything_is_started(directory: Path) -> None:
    code, line = refused(*dev_command(directory / "data", free_port()), BOOKING_PAYMENT_WINDOW_SECONDS="soon")
    assert code == 2
    assert "BOOKING_PAYMENT_WINDOW_SECONDS" in line
    assert list(directory.iterdir()) == []


def test_a_directory_that_cannot_be_made_is_one_line(directory: Path) -> None:
    (directory / "file").touch()
    code, line = refused(*dev_command(directory / "file" / "data", free_port()))
    assert code == 1
    assert str(directory / "file" / "data") in line


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can close a directory to the database's user")
def test_it_works_as_root_in_a_home_that_others_cannot_read(start_dev: StartDev, tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    dev = start_dev(home / "data")
    try:
        [_, place] = dev.printed.splitlines()[0].rstrip(".").split("the database in ")
        assert Path(place).is_dir()
        assert not Path(place).is_relative_to(home)
        assert dev.hold(dev.token("ann"))["status"] == "PENDING"
        assert dev.stop() == 0
    finally:
        noted = home / "data" / "postgres.location"
        shutil.rmtree(noted.read_text().strip(), ignore_errors=True)


def test_serve_has_none_of_its_routes(dev: Dev, fresh_database: FreshDatabase) -> None:
    settings = {
        "BOOKING_DATABASE_URL": fresh_database(),
        "BOOKING_JWT_ISSUER": "https://issuer.invalid/",
        "BOOKING_JWT_AUDIENCE": "booking",
    }
    program, port = [sys.executable, "-m", "booking_cli"], free_port()
    subprocess.run([*program, "migrate"], env=environment(**settings), check=True, capture_output=True)
    command = [*program, "serve", "--port", str(port), "--workers", "1"]
    with subprocess.Popen(command, env=environment(**settings), stderr=subprocess.DEVNULL) as process:
        try:
            wait_for(port)
            for path in ("/dev/payments", "/dev/token", "/.well-known/jwks.json", "/dev", "/", "/dev/seat-map/app.js"):
                assert status_of(f"http://127.0.0.1:{port}{path}", b"{}") == 404
                assert status_of(f"http://127.0.0.1:{port}{path}") == 404
                assert status_of(f"{dev.url}{path}", b"{}") in (400, 405)
        finally:
            process.terminate()
            assert process.wait(60) == 0


def wait_for(port: int) -> None:
    give_up_at = time.monotonic() + 60
    while True:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
            return
        except ConnectionRefusedError:
            assert time.monotonic() < give_up_at
            time.sleep(0.05)


def status_of(url: str, body: bytes | None = None) -> Any:
    try:
        with urlopen(Request(url, body, {"Content-Type": "application/json"}), timeout=30) as answer:
            return answer.status
    except HTTPError as refusal:
        with refusal:
            return refusal.code
