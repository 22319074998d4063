"""The file that other commands find the demo with."""

import subprocess
from pathlib import Path

from booking_dev.environment import environment_file

URL = "postgresql://booking:it's $ecret@127.0.0.1:5/booking"


def test_a_shell_that_sources_it_has_the_settings(tmp_path: Path) -> None:
    with environment_file(tmp_path, {"BOOKING_DATABASE_URL": URL, "BOOKING_EVENT_BUS": "kafka"}) as path:
        told = subprocess.run(
            ["sh", "-c", f". {path} && printenv BOOKING_DATABASE_URL BOOKING_EVENT_BUS"],
            capture_output=True,
            text=True,
            check=True,
        )
    assert told.stdout.splitlines() == [URL, "kafka"]


def test_nobody_else_may_read_it_and_it_goes_with_the_demo(tmp_path: Path) -> None:
    with environment_file(tmp_path, {"BOOKING_DATABASE_URL": URL}) as path:
        assert path.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == []


def test_what_killed_runs_have_left_behind_is_replaced(tmp_path: Path) -> None:
    for name in ("environment.sh", "environment.new"):
        (tmp_path / name).write_text("export BOOKING_DATABASE_URL=old\n")
        (tmp_path / name).chmod(0o644)
    with environment_file(tmp_path, {"BOOKING_DATABASE_URL": "new"}) as path:
        assert path.read_text() == "export BOOKING_DATABASE_URL=new\n"
        assert path.stat().st_mode & 0o777 == 0o600
