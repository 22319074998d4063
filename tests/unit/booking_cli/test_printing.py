"""Tables on a narrow terminal: nothing is cut off, and an id can be copied."""

from uuid import uuid4

import pytest

from booking_cli.printing import print_table

MOMENT = "2026-12-01T13:04:28.700314Z"


def test_a_narrow_terminal_cuts_nothing_off(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "80")
    booking_id = uuid4()

    print_table(["booking", "reserved", "event", "user"], [[booking_id, MOMENT, "Symphony Gala", "auth0|someone"]])

    shown = capsys.readouterr().out
    assert str(booking_id) in shown
    assert "…" not in shown


def test_in_a_pipe_cells_have_tabs_between_them(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(["a", "b"], [["1\t2", None]])

    assert capsys.readouterr().out == "a\tb\n1\\t2\t\n"
