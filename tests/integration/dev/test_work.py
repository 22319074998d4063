"""The workers of `booking dev`: with nobody asking, what must end ends."""

import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.support.dev import Dev, StartDev, environment


def test_settings_are_honoured_and_the_sweep_ends_what_is_overdue(start_dev: StartDev, directory: Path) -> None:
    dev = start_dev(directory / "data", BOOKING_PAYMENT_WINDOW_SECONDS="2", BOOKING_LOG_LEVEL="INFO")
    ann, ben = dev.token("ann"), dev.token("ben")
    held = dev.hold(ann)
    ended = dev.booking_when(ann, held["bookingId"], lambda booking: booking["status"] == "CANCELLED")
    assert ended["cancellationReason"] == "EXPIRED"
    assert ended["cancelledAt"] == held["expiresAt"]
    [seat] = held["seats"]
    order = {"eventId": dev.event_id, "seatIds": [seat["seatId"]]}
    assert dev.call("POST", "/api/v1/bookings", order, ben).status == 201
    # Reading only shows what is over; the sweep writes it, and says so.
    written = wait_for_line(dev, "expire.swept")
    assert "seats_released=1" in written


def test_a_payment_window_of_the_command_line_goes_before_the_setting(start_dev: StartDev, directory: Path) -> None:
    dev = start_dev(directory / "data", "--payment-window", "2", BOOKING_PAYMENT_WINDOW_SECONDS="600")
    ann = dev.token("ann")
    held = dev.hold(ann)
    ended = dev.booking_when(ann, held["bookingId"], lambda booking: booking["status"] == "CANCELLED")
    assert ended["cancellationReason"] == "EXPIRED"


def wait_for_line(dev: Dev, words: str) -> str:
    """The first line of the log that has these words; the process ends the wait if it dies."""
    with subprocess.Popen(
        ["tail", "--pid", str(dev.process.pid), "-n", "+1", "-f", dev.errors], stdout=subprocess.PIPE, text=True
    ) as tail:
        assert tail.stdout is not None
        try:
            return next(line for line in tail.stdout if words in line)
        finally:
            tail.kill()


def test_an_event_cancelled_by_an_administrator_is_finished_by_the_worker(dev: Dev) -> None:
    ann, admin = dev.token("ann"), dev.token("root", admin=True)
    soon = dev.events(ann)[0]["eventId"]
    held, paid = dev.hold(ann, soon), dev.hold(ann, soon, seats=2)
    dev.pay(paid["bookingId"])
    dev.booking_when(ann, paid["bookingId"], lambda booking: booking["status"] == "CONFIRMED")

    path = f"/api/v1/events/{soon}/cancel"
    assert dev.call("POST", path, {"reason": "flooded"}, ann).error == (403, "FORBIDDEN")
    closed = dev.call("POST", path, {"reason": "flooded"}, admin)
    assert closed.status == 202

    def refunded(booking: dict[str, Any]) -> bool:
        return bool(booking.get("refund", {}).get("status") == "COMPLETED")

    # It starts within 24 hours: a cancelled event is refunded all the same.
    ended = dev.booking_when(ann, paid["bookingId"], refunded)
    assert (ended["status"], ended["cancellationReason"]) == ("CANCELLED", "EVENT_CANCELLED")
    assert ended["refund"]["amount"] == paid["totalAmount"]
    dev.booking_when(ann, held["bookingId"], lambda booking: booking["status"] == "CANCELLED")
    dev_again = dev.call("POST", path, {"reason": "flooded"}, admin)
    assert (dev_again.status, dev_again.data["remaining"]) == (202, 0)


def test_tokens_can_be_had_on_the_command_line(dev: Dev) -> None:
    data_dir = dev.errors.with_suffix("")
    command = [sys.executable, "-m", "booking_cli", "token", "--user", "zoe", "--data-dir", str(data_dir)]
    token = subprocess.run(command, env=environment(), capture_output=True, text=True, check=True).stdout.strip()
    assert dev.call("GET", "/api/v1/bookings/my", token=token).data == []


def test_the_doctor_finds_a_sound_demo_after_its_environment_was_sourced(start_dev: StartDev, directory: Path) -> None:
    data = directory / "data"
    dev = start_dev(data)

    script = '. "$0" && exec "$1" -m booking_cli doctor'
    doctor = subprocess.run(
        ["bash", "-c", script, data / "environment.sh", sys.executable],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=60,
    )

    grades = {line.split("\t")[1]: line.split("\t")[0] for line in doctor.stdout.splitlines()[1:]}
    assert doctor.returncode == 0, doctor.stdout
    assert set(grades.values()) == {"ok", "skipped"}
    assert {check for check, grade in grades.items() if grade == "skipped"} == {"broker", "catalog"}
    assert dev.stop() == 0
