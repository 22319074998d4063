"""Instructions of `booking dev`: the printed lines, and the file of settings. (A running one tests that they work.)"""

import subprocess
from pathlib import Path
from uuid import UUID

from booking_dev.instructions import Ready, environment_file, instructions

URL = "postgresql://booking:it's $ecret@127.0.0.1:5/booking"


def printed(database: str = "/home/me/.booking/postgres") -> str:
    return instructions(
        Ready(
            url="http://127.0.0.1:8000",
            event_id=UUID(int=7),
            alice="aaa.bbb.ccc",
            data_dir=Path("/home/me/.booking"),
            database=Path(database),
            environment=Path("/home/me/my data/environment.sh"),
        )
    )


def test_it_is_bash_one_command_to_a_line() -> None:
    lines = printed().splitlines()
    for line in lines:
        subprocess.run(["bash", "-n"], input=line, text=True, check=True)
    assert len(lines) <= 22


def test_prose_is_in_comments_and_names_address_and_directory() -> None:
    first = printed().splitlines()[0]
    assert first.startswith("# ")
    assert "http://127.0.0.1:8000" in first
    assert "/home/me/.booking." in first
    assert "^C" in first
    assert "postgres" not in first


def test_a_database_elsewhere_is_named_too() -> None:
    first = printed("/var/lib/booking-core/0123456789abcdef").splitlines()[0]
    assert "/home/me/.booking" in first
    assert "/var/lib/booking-core/0123456789abcdef" in first


def test_what_other_commands_need_can_be_pasted_from_its_comment() -> None:
    assert printed().splitlines()[1].endswith(". '/home/me/my data/environment.sh'")


def test_a_shell_that_sources_it_has_the_settings(tmp_path: Path) -> None:
    with environment_file(tmp_path, {"BOOKING_DATABASE_URL": URL, "BOOKING_EVENT_BUS": "kafka"}) as path:
        printed_by_shell = subprocess.run(
            ["sh", "-c", f". {path} && printenv BOOKING_DATABASE_URL BOOKING_EVENT_BUS"],
            capture_output=True,
            text=True,
            check=True,
        )
    assert printed_by_shell.stdout.splitlines() == [URL, "kafka"]


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
