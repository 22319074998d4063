"""The README, as its readers use it: what it tells them to type is typed here."""

import re
import subprocess
import sys
from pathlib import Path

import click

from booking_cli.main import cli
from tests.support.dev import Dev, environment

README = (Path(__file__).parents[3] / "README.md").read_text()


def block(language: str) -> str:
    [found] = re.findall(rf"^```{language}\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
    return str(found)


def test_the_walk_is_the_one_that_is_printed(dev: Dev) -> None:
    """But for the token, which the README asks for, and address."""

    def steps(text: str) -> list[str]:
        return [line for line in text.splitlines() if not line.startswith(("#", "ALICE=", "API="))]

    assert steps(block("bash")) == steps(dev.printed)
    assert f"EVENT={dev.event_id}" in block("bash")


def test_the_walk_works_as_pasted(dev: Dev) -> None:
    lines = block("bash").replace("http://127.0.0.1:8000", dev.url)
    done = subprocess.run(["bash"], input=lines, text=True, capture_output=True, timeout=60, check=True)
    assert re.findall(r"HTTP (\d+)", done.stderr) == ["200", "200", "201", "409", "202", "200", "200", "200"]
    for shown in ("unavailableSeatIds", '"CONFIRMED"', "ticketReference", '"REQUESTED"', "'COMPLETED'"):
        assert shown in done.stdout


def test_the_library_example_prints_what_it_says() -> None:
    example = block("python")
    promised = re.findall(r"print\(.*\)  # (.*)", example)
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", example], env=environment(), text=True, capture_output=True, check=True
    )
    assert done.stdout.splitlines() == promised
    assert len(promised) == 2


def test_the_table_of_commands_is_complete() -> None:
    commands = README.partition("## Commands")[2]
    named = set(
        re.findall(r"`booking ([a-z-]+(?: (?:load|sync|events|dead-letters|list|show|replay|discard))?)", commands)
    )
    known = set()
    for name, command in cli.load_all().items():
        subcommands = command.commands if isinstance(command, click.Group) else {"": command}
        known |= {f"{name} {each}".strip() for each in subcommands}
    assert named == known


def test_its_links_lead_somewhere() -> None:
    links = re.findall(r"\]\(([^)]+)\)", README)
    assert links
    ours = [link for link in links if "://" not in link]
    assert [link for link in ours if not (Path(__file__).parents[3] / link).exists()] == []
