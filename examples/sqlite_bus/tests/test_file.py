"""What the contract suites cannot know: the file outlives its processes, and several of them share it."""

import sqlite3
import subprocess
import sys
import time
from collections.abc import Sequence
from datetime import timedelta
from importlib.metadata import entry_points
from pathlib import Path

import pytest

from booking_core import BusUnavailable, InvalidValue
from booking_core.ports import Delivery, Message, Subscription
from booking_sqlite_bus.adapter import create
from booking_sqlite_bus.bus import SqliteEventBus

PATIENCE_SECONDS = 30.0
PUBLISH = """
import sys
from pathlib import Path
from booking_core.ports import Message
from booking_sqlite_bus.bus import SqliteEventBus
bus = SqliteEventBus(Path(sys.argv[1]))
for number in range(50):
    bus.publish("topic", [Message(key=sys.argv[2].encode(), value=str(number).encode())])
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "bus.db"


def texts(first: int, last: int) -> list[Message]:
    return [Message(key=str(number).encode(), value=str(number).encode()) for number in range(first, last)]


def receive(subscription: Subscription, number: int) -> Sequence[Delivery]:
    arrived: list[Delivery] = []
    give_up_at = time.monotonic() + PATIENCE_SECONDS
    while len(arrived) < number:
        assert time.monotonic() < give_up_at, f"only {len(arrived)} messages arrived"
        arrived += subscription.poll(0.1)
    return arrived


def test_the_entry_point_makes_the_bus(path: Path) -> None:
    [found] = entry_points(group="booking.event_bus", name="sqlite")
    bus = found.load()({"BOOKING_SQLITE_BUS_PATH": str(path)})

    assert isinstance(bus, SqliteEventBus)
    assert not path.exists(), "nothing is connected before it is used"


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({}, "BOOKING_SQLITE_BUS_PATH"),
        ({"BOOKING_SQLITE_BUS_PATH": "/nowhere/bus.db"}, "BOOKING_SQLITE_BUS_PATH"),
        ({"BOOKING_SQLITE_BUS_PATH": "bus.db", "BOOKING_SQLITE_BUS_RETENTION_DAYS": "x"}, "_RETENTION_DAYS"),
        ({"BOOKING_SQLITE_BUS_PATH": "bus.db", "BOOKING_SQLITE_BUS_RETENTION_DAYS": "0"}, "_RETENTION_DAYS"),
    ],
)
def test_a_wrong_setting_is_named(settings: dict[str, str], named: str) -> None:
    with pytest.raises(InvalidValue, match=named):
        create(settings)


def test_messages_and_progress_outlive_the_bus(path: Path) -> None:
    bus = SqliteEventBus(path)
    bus.publish("topic", texts(0, 10))
    subscription = bus.subscribe("topic", "group")
    receive(subscription, 10)
    subscription.commit()
    bus.publish("topic", texts(10, 15))
    bus.close()

    bus = SqliteEventBus(path)
    arrived = receive(bus.subscribe("topic", "group"), 5)
    bus.close()

    assert {delivery.value for delivery in arrived} == {b"10", b"11", b"12", b"13", b"14"}


def test_processes_that_all_begin_with_an_empty_file(path: Path) -> None:
    running = [subprocess.Popen([sys.executable, "-c", PUBLISH, path, f"key-{number}"]) for number in range(4)]
    assert [process.wait(PATIENCE_SECONDS) for process in running] == [0, 0, 0, 0]

    bus = SqliteEventBus(path)
    arrived = receive(bus.subscribe("topic", "group"), 200)
    bus.close()

    for key in (b"key-0", b"key-1", b"key-2", b"key-3"):
        assert [int(each.value or b"") for each in arrived if each.key == key] == list(range(50))


def test_a_member_that_fell_silent_is_replaced_and_its_commit_refused(path: Path) -> None:
    bus = SqliteEventBus(path, lease=0.2)
    bus.publish("topic", texts(0, 20))
    silent, other = bus.subscribe("topic", "group"), bus.subscribe("topic", "group")
    receive(silent, 20)

    arrived = receive(other, 20)  # once the lease is over
    with pytest.raises(BusUnavailable, match="group has changed"):
        silent.commit()
    other.commit()

    assert {delivery.value for delivery in arrived} == {str(number).encode() for number in range(20)}
    assert sum(map(len, bus.backlog("topic", "group").values())) == 0
    bus.close()


def test_old_messages_are_removed_and_offsets_go_on(path: Path) -> None:
    bus = SqliteEventBus(path)
    bus.publish("topic", texts(0, 20))
    before = bus.backlog("topic", "group")
    bus.close()
    bus = SqliteEventBus(path, keep=timedelta(microseconds=1))
    bus.publish("elsewhere", texts(0, 1))

    after = bus.backlog("topic", "group")

    assert sum(map(len, before.values())) == 20
    assert {number: offsets.stop for number, offsets in after.items()} == {
        number: offsets.stop for number, offsets in before.items()
    }
    assert sum(map(len, after.values())) == 0
    bus.close()


def test_a_file_that_is_none_of_ours_is_unavailable_and_left_alone(path: Path) -> None:
    path.write_bytes(b"a letter to my aunt, which is longer than the header of a database\n" * 20)
    before = path.read_bytes()
    bus = SqliteEventBus(path)

    with pytest.raises(BusUnavailable, match="not a database"):
        bus.publish("topic", texts(0, 1))
    bus.close()

    assert path.read_bytes() == before


def test_a_file_of_a_later_version_is_unavailable(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version = 7")
    connection.close()
    bus = SqliteEventBus(path)

    with pytest.raises(BusUnavailable, match="version 7, not 1"):
        bus.backlog("topic", "group")
    bus.close()
