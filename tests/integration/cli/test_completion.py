"""The Tab key in a real bash, and how little of the program it wakes."""

import json
import os
import pty
import re
import select
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

PATIENCE_SECONDS = 30.0
_CONTROL = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]|\x07")
# Nothing of a server, a client or a log is needed to complete a word.
_HEAVY = ["alembic", "cryptography", "flask", "granian", "httpx2", "jwt", "kafka", "prometheus_client", "psycopg"]
_HEAVY += ["rich", "sqlalchemy", "structlog"]
_ALL_OPTIONS = f"""
import json, sys
from click.shell_completion import BashComplete
from booking_cli.main import cli
maker = BashComplete(cli, {{}}, "booking", "_BOOKING_COMPLETE")
woken = {{}}
def walk(group, load, path):
    for name in list(group.commands) if hasattr(group, "commands") else ():
        said = maker.get_completions([*path, name], "--")
        assert any(item.value == "--help" for item in said), (path, name)
        woken[" ".join([*path, name])] = [each for each in {_HEAVY!r} if each in sys.modules]
        inner = load(name)
        walk(inner, lambda name: inner.commands[name], [*path, name])
maker.get_completions([], "")
watched = {[*_HEAVY, "booking_cli.commands.workers", "booking_core"]!r}
woken["booking"] = [each for each in watched if each in sys.modules]
walk(cli, cli.load, [])
print(json.dumps(woken))
"""


class Bash:
    """An interactive bash on a terminal, with the program in its PATH and nothing of its user's."""

    def __init__(self, home: Path) -> None:
        self._home = home
        bash = shutil.which("bash")
        if bash is None:
            pytest.skip("there is no bash")
        self._us, theirs = pty.openpty()
        self._process = subprocess.Popen(
            [bash, "--norc", "--noprofile", "-i"],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            cwd=home,
            start_new_session=True,
            env={
                "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
                "HOME": str(home),
                "TERM": "dumb",
                "PS1": "",
                "INPUTRC": "/dev/null",
                "COLUMNS": "200",
            },
        )
        os.close(theirs)
        self._seen = ""

    def type(self, text: str) -> None:
        os.write(self._us, text.encode())

    def until(self, pattern: str) -> str:
        """What has been shown since the last time, up to and with the pattern."""
        give_up_at = time.monotonic() + PATIENCE_SECONDS
        while not (found := re.search(pattern, self._seen)):
            ready, _, _ = select.select([self._us], [], [], max(0.0, give_up_at - time.monotonic()))
            assert ready, f"waited in vain for {pattern!r}: {self._seen!r}"
            self._seen += _CONTROL.sub("", os.read(self._us, 65536).decode(errors="replace"))
        shown, self._seen = self._seen[: found.end()], self._seen[found.end() :]
        return shown

    def close(self) -> None:
        self._process.kill()
        self._process.wait(60)
        os.close(self._us)


@pytest.fixture
def bash(tmp_path: Path) -> Iterator[Bash]:
    shell = Bash(tmp_path)
    try:
        shell.type('eval "$(booking completion bash)"; echo "install"ed\n')
        shell.until("installed")
        yield shell
    finally:
        shell.close()


def test_the_tab_key_completes_commands_options_and_values(bash: Bash) -> None:
    bash.type("booking expi\t")
    bash.until(r"booking expire $")
    bash.type("--ev\t")
    bash.until(r"--every $")
    bash.type("\x15booking replay ev\t")
    bash.until(r"replay events $")
    bash.type("--type booking.conf\t")
    bash.until(r"--type booking\.confirmed $")


def test_two_tabs_list_what_there_is(bash: Bash) -> None:
    bash.type("booking re\t\t")
    bash.until(r"relay\s+release\s+replay")


def test_files_are_completed_where_a_file_is_wanted(bash: Bash, tmp_path: Path) -> None:
    (tmp_path / "spring-season.json").write_text("{}")

    bash.type("booking catalog load spr\t")

    bash.until(r"load spring-season\.json $")


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_other_shells_are_answered_in_their_way(shell: str) -> None:
    asked = {"_BOOKING_COMPLETE": f"{shell}_complete", "COMP_WORDS": "booking mig", "COMP_CWORD": "1"}
    if shell == "fish":
        asked["COMP_CWORD"] = "mig"

    said = subprocess.run(
        [Path(sys.executable).with_name("booking")], env=os.environ | asked, capture_output=True, text=True, check=True
    ).stdout

    summary = "Bring the database's schema up to date."
    assert said == (f"plain\nmigrate\n{summary}\n" if shell == "zsh" else f"plain,migrate\t{summary}\n")


def test_no_completion_wakes_the_service() -> None:
    said = subprocess.run([sys.executable, "-c", _ALL_OPTIONS], capture_output=True, text=True, check=True).stdout

    woken = json.loads(said)
    assert {"booking", "worker", "doctor", "replay events", "catalog sync"} <= set(woken)
    assert {command: modules for command, modules in woken.items() if modules} == {}
