"""What is particular to the bus in memory; the rest is in the contract suite."""

from concurrent.futures import ThreadPoolExecutor
from threading import Event

import pytest

from booking_core.domain.errors import BusUnavailable
from booking_core.ports import Message
from booking_memory.bus import PARTITIONS, MemoryEventBus

MESSAGES = [Message(key=str(n).encode(), value=str(n).encode()) for n in range(40)]


@pytest.fixture
def bus() -> MemoryEventBus:
    bus = MemoryEventBus()
    bus.publish("topic", MESSAGES)
    return bus


def test_members_share_the_partitions_and_nothing_comes_twice(bus: MemoryEventBus) -> None:
    members = [bus.subscribe("topic", "group") for _ in range(3)]

    shares = [member.poll(0) for member in members]

    assert all(shares)
    assert sorted(delivery.value or b"" for share in shares for delivery in share) == sorted(
        message.value for message in MESSAGES
    )
    partitions = [{delivery.partition for delivery in share} for share in shares]
    assert sum(map(len, partitions)) == len(set().union(*partitions)) == PARTITIONS


def test_more_members_than_partitions(bus: MemoryEventBus) -> None:
    members = [bus.subscribe("topic", "group") for _ in range(PARTITIONS + 1)]

    assert [bool(member.poll(0)) for member in members] == [True] * PARTITIONS + [False]


def test_a_commit_across_a_change_of_the_group_is_refused(bus: MemoryEventBus) -> None:
    first = bus.subscribe("topic", "group")
    assert len(first.poll(0)) == 40
    second = bus.subscribe("topic", "group")
    with pytest.raises(BusUnavailable):
        first.commit()

    again = [*first.poll(0), *second.poll(0)]

    assert len(again) == 40
    first.commit()
    second.commit()
    second.close()
    assert list(first.poll(0)) == []


def test_a_change_of_the_group_harms_no_commit_of_nothing(bus: MemoryEventBus) -> None:
    first = bus.subscribe("topic", "group")
    first.poll(0)
    first.commit()
    bus.subscribe("topic", "group")

    first.commit()


def test_closing_wakes_those_who_wait() -> None:
    bus = MemoryEventBus()
    subscription = bus.subscribe("topic", "group")
    started = Event()

    def wait() -> None:
        started.set()
        subscription.poll(60)

    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(wait)
        assert started.wait(10)
        bus.close()
        with pytest.raises(BusUnavailable):
            waiting.result(10)


def test_after_the_end_nothing_goes_in_or_out(bus: MemoryEventBus) -> None:
    subscription = bus.subscribe("topic", "group")
    bus.close()
    bus.close()
    subscription.close()

    for call in (
        lambda: bus.publish("topic", MESSAGES),
        lambda: bus.subscribe("topic", "group"),
        lambda: subscription.poll(0),
        subscription.commit,
    ):
        with pytest.raises(BusUnavailable):
            call()
