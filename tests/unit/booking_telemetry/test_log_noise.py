"""A library that repeats itself is heard once a minute; nobody else is kept quiet."""

import json
import logging

import pytest

from booking_telemetry import logs
from booking_telemetry.logs import OnceAMinute


def record(name: str, line: int, text: str, level: int = logging.ERROR) -> logging.LogRecord:
    return logging.LogRecord(name, level, "conn.py", line, text, None, None)


def test_the_same_place_is_heard_once_a_minute() -> None:
    now = 1000.0
    once = OnceAMinute(lambda: now)

    heard = []
    for second in range(180):
        now = 1000.0 + second
        said = record("kafka.conn", 7, f"try {second}: connection refused")
        if once.filter(said):
            heard.append(said.getMessage())

    assert heard == [
        "try 0: connection refused",
        "try 60: connection refused (and 59 times more since)",
        "try 120: connection refused (and 59 times more since)",
    ]


def test_other_places_levels_and_libraries_are_heard() -> None:
    once = OnceAMinute(lambda: 0.0)
    assert once.filter(record("kafka.conn", 7, "a"))
    assert once.filter(record("kafka.conn", 8, "b"))
    assert once.filter(record("kafka.conn", 7, "c", logging.CRITICAL))
    assert not once.filter(record("kafka.conn", 7, "d"))
    assert all(once.filter(record("booking_workers.jobs", 7, "e")) for _ in range(3))
    assert all(once.filter(record("kafkaesque", 7, "f")) for _ in range(3))


def test_the_programs_log_is_filtered(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure()
    for _ in range(3):
        logging.getLogger("kafka.conn").error("broker %s is away", 7)
        logging.getLogger("booking").error("ours")

    said = [json.loads(line)["event"] for line in capsys.readouterr().err.splitlines()]
    assert said.count("broker 7 is away") == 1
    assert said.count("ours") == 3


def test_without_clients_their_records_are_dropped(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure(with_clients=False)
    logging.getLogger("kafka.conn").error("broker 7 is away")
    logging.getLogger("booking").error("ours")

    assert [json.loads(line)["event"] for line in capsys.readouterr().err.splitlines()] == ["ours"]
    logs.configure()
    logging.getLogger("kafka.conn").error("broker 7 is away")
    assert "broker 7 is away" in capsys.readouterr().err
