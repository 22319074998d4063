"""The text that `booking dev` prints. (That its lines work is tested with a running one.)"""

import subprocess
from pathlib import Path
from uuid import UUID

from booking_dev.walk import Ready, walk


def printed(database: str = "/home/me/.booking/postgres") -> str:
    return walk(
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
