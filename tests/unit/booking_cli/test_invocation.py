"""Logs of an invocation: at a terminal, a command that ends by itself prints its result and logs only problems."""

import logging
import sys

import pytest
import structlog

from booking_cli.invocation import Invocation
from booking_service.setting_fields import Need

DATABASE = {"BOOKING_DATABASE_URL": "postgresql://db/booking"}


@pytest.mark.parametrize(
    ("command", "at_terminal", "environ", "level"),
    [
        ("expire", True, {}, logging.WARNING),
        ("catalog load", True, {}, logging.WARNING),
        ("expire", False, {}, logging.INFO),
        ("expire", True, {"BOOKING_LOG_LEVEL": "INFO"}, logging.INFO),
        ("expire --every", True, {}, logging.INFO),
        ("worker", True, {}, logging.INFO),
    ],
)
def test_log_level_depends_on_command_terminal_and_setting(
    monkeypatch: pytest.MonkeyPatch, command: str, at_terminal: bool, environ: dict[str, str], level: int
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: at_terminal)

    Invocation(environ=DATABASE | environ).settings(command, Need.DATABASE)

    assert logging.getLogger().level == level


@pytest.mark.parametrize(
    ("command", "at_terminal", "environ", "is_json"),
    [
        ("expire", True, {}, False),
        ("expire", False, {}, True),
        ("expire", True, {"BOOKING_LOG_FORMAT": "json"}, True),
        ("worker", True, {}, True),
    ],
)
def test_log_format_depends_on_command_terminal_and_setting(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    command: str,
    at_terminal: bool,
    environ: dict[str, str],
    is_json: bool,
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: at_terminal)
    Invocation(environ=DATABASE | environ).settings(command, Need.DATABASE)

    structlog.get_logger("a").warning("b", path="c")

    assert capsys.readouterr().err.startswith("{") is is_json
