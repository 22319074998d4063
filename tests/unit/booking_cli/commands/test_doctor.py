"""What `booking doctor` prints, and its exit code."""

import json
import sys

import pytest

from booking_cli.commands.doctor import _COMPONENTS
from booking_cli.invocation import Invocation
from booking_cli.main import run
from booking_core.ports import Finding, Grade
from booking_memory.bus import MemoryEventBus
from booking_service.doctor.components import Component
from tests.unit.booking_service.doctor.test_examination import ENVIRON, Adapters, AdapterStub

BAD = Finding(check="broker", grade=Grade.TROUBLE, found="does\tnot \x1b[31manswer", advice="start it")


def doctor(*arguments: str, found: Finding | None = None) -> int:
    adapters = Adapters() if found is None else Adapters(bus=AdapterStub(MemoryEventBus(), lambda: [found]))
    return run(["doctor", *arguments], Invocation(environ=ENVIRON, compose=adapters.compose))


def test_lines_with_tabs_for_a_pipe(capsys: pytest.CaptureFixture[str]) -> None:
    assert doctor("--only", "broker", found=BAD) == 1

    out, err = capsys.readouterr()
    assert out.splitlines()[0] == "grade\tcheck\tfound\tadvice"
    assert out.splitlines()[-1] == "trouble\tbroker\tdoes\\tnot \\x1b[31manswer\tstart it"
    assert len(out.splitlines()) == 3
    assert err == ""


def test_one_object_for_a_program(capsys: pytest.CaptureFixture[str]) -> None:
    assert doctor("--only", "broker", "--only", "catalog", "--json") == 0
    healthy = json.loads(capsys.readouterr().out)
    assert doctor("--only", "broker", "--json", found=BAD) == 1
    ill = json.loads(capsys.readouterr().out)

    assert healthy["healthy"] is True
    assert [(each["check"], each["grade"]) for each in healthy["findings"]] == [
        ("settings", "ok"),
        ("broker", "warning"),
        ("catalog", "ok"),
    ]
    assert ill["healthy"] is False
    assert ill["findings"][1] == {
        "check": "broker",
        "grade": "trouble",
        "found": "does\tnot \x1b[31manswer",
        "advice": "start it",
    }


def test_marks_and_colours_for_a_person(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "160")

    assert doctor("--only", "broker", found=BAD) == 1

    out = capsys.readouterr().out
    lines = out.splitlines()
    assert "✓" in lines[0]
    assert "settings" in lines[0]
    assert "✗" in lines[1]
    assert "does\\tnot \\x1b[31manswer" in lines[1]
    assert "start it" in lines[2]
    assert "\x1b[31manswer" not in out, "what others say is no command for the terminal"


@pytest.mark.parametrize("arguments", [["--only", "nonsense"], ["broker"]])
def test_wrong_use_is_code_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert doctor(*arguments) == 2
    assert capsys.readouterr().err.startswith("Usage: booking doctor")


def test_every_component_is_a_choice_of_only() -> None:
    assert list(_COMPONENTS) == [part.value for part in Component]
