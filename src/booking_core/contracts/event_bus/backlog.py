"""The suite of backlogs: the messages that wait for a group, and commits of a part of them."""

import time
from datetime import UTC, datetime, timedelta
from typing import Final

from booking_core.contracts.event_bus.delivery import numbered, receive_number, values
from booking_core.contracts.harness import EventBusHarness
from booking_core.ports import EventBus, Message

_TICK: Final = timedelta(milliseconds=1)


def waiting(bus: EventBus, topic: str, group: str) -> int:
    """Return the number of messages that wait, over all partitions."""
    return sum(map(len, bus.backlog(topic, group).values()))


def ends(bus: EventBus, topic: str) -> dict[int, int]:
    """Return the end offset of each partition."""
    return {partition: offsets.stop for partition, offsets in bus.backlog(topic, "reader-of-ends").items()}


def _until_later_than(moment: datetime) -> None:
    """Wait until a clock with a resolution of milliseconds shows a later time than that moment."""
    while datetime.now(UTC) <= moment + 2 * _TICK:
        time.sleep(_TICK.total_seconds())


class BacklogContract:
    """`EventBus.backlog`, `oldest`, and `Subscription.commit` with `before`."""

    def test_backlog_of_an_empty_topic_names_every_partition(self, event_bus_harness: EventBusHarness) -> None:
        bus, topic = event_bus_harness.bus, event_bus_harness.new_topic()

        backlog = bus.backlog(topic, "group")

        assert len(backlog) >= 2, "every partition is named"
        assert all(len(offsets) == 0 for offsets in backlog.values())

    def test_oldest_without_a_backlog_is_none(self, event_bus_harness: EventBusHarness) -> None:
        bus, topic = event_bus_harness.bus, event_bus_harness.new_topic()

        assert bus.oldest(topic, "group") is None
        bus.publish(topic, numbered(0, 20))
        subscription = bus.subscribe(topic, "group")
        receive_number(subscription, 20)
        subscription.commit()
        subscription.close()

        assert bus.oldest(topic, "group") is None

    def test_oldest_is_when_the_first_uncommitted_message_was_sent(self, event_bus_harness: EventBusHarness) -> None:
        bus, topic = event_bus_harness.bus, event_bus_harness.new_topic()
        begun = datetime.now(UTC)
        bus.publish(topic, numbered(0, 1))  # in one partition only: the others begin with younger ones
        between = datetime.now(UTC)
        subscription = bus.subscribe(topic, "group")
        receive_number(subscription, 1)
        first = bus.oldest(topic, "group")
        subscription.commit()
        subscription.close()
        _until_later_than(between)
        bus.publish(topic, numbered(1, 21))

        second, of_another = bus.oldest(topic, "group"), bus.oldest(topic, "another")

        # Brokers keep whole milliseconds.
        assert first is not None
        assert begun - _TICK <= first <= between
        assert second is not None
        assert between < second <= datetime.now(UTC)
        assert of_another == first
        assert waiting(bus, topic, "group") == 20, "`oldest` consumes nothing"

    def test_backlog_of_a_new_group_contains_every_message(self, event_bus_harness: EventBusHarness) -> None:
        bus, topic = event_bus_harness.bus, event_bus_harness.new_topic()
        bus.publish(topic, numbered(0, 20))

        backlog = bus.backlog(topic, "group")
        subscription = bus.subscribe(topic, "group")
        arrived = receive_number(subscription, 20)
        subscription.close()

        assert waiting(bus, topic, "group") == 20, "`backlog` and `poll` commit nothing"
        assert {(delivery.partition, delivery.offset) for delivery in arrived} == {
            (partition, offset) for partition, offsets in backlog.items() for offset in offsets
        }

    def test_backlog_shrinks_with_commits_and_grows_with_messages(self, event_bus_harness: EventBusHarness) -> None:
        bus, topic = event_bus_harness.bus, event_bus_harness.new_topic()
        bus.publish(topic, numbered(0, 20))
        subscription = bus.subscribe(topic, "group")
        receive_number(subscription, 20)
        subscription.commit()
        after_commit = waiting(bus, topic, "group")
        bus.publish(topic, numbered(20, 27))

        assert after_commit == 0
        assert waiting(bus, topic, "group") == 7
        assert waiting(bus, topic, "another") == 27
        receive_number(subscription, 7)
        subscription.close()
        assert waiting(bus, topic, "group") == 7, "polled and uncommitted messages still wait"

    def test_commit_before_an_offset_leaves_later_messages(self, event_bus_harness: EventBusHarness) -> None:
        bus, topic = event_bus_harness.bus, event_bus_harness.new_topic()
        bus.publish(topic, numbered(0, 20))
        mark = ends(bus, topic)
        bus.publish(topic, numbered(20, 50))
        subscription = bus.subscribe(topic, "group")
        receive_number(subscription, 50)
        subscription.commit(before=mark)
        subscription.close()

        left = bus.backlog(topic, "group")
        following = bus.subscribe(topic, "group")
        arrived = receive_number(following, 30)
        following.close()

        assert {partition: offsets.start for partition, offsets in left.items()} == mark
        assert values(arrived) == set(range(20, 50))

    def test_messages_left_by_a_commit_can_be_rewound_and_committed(self, event_bus_harness: EventBusHarness) -> None:
        bus, topic = event_bus_harness.bus, event_bus_harness.new_topic()
        bus.publish(topic, numbered(0, 10))
        mark = ends(bus, topic)
        bus.publish(topic, numbered(10, 30))
        subscription = bus.subscribe(topic, "group")
        receive_number(subscription, 30)
        subscription.commit(before=mark)
        subscription.rewind()

        again = receive_number(subscription, 20)
        subscription.commit()
        subscription.close()

        assert values(again) == set(range(10, 30))
        assert waiting(bus, topic, "group") == 0

    def test_commit_leaves_partitions_that_are_not_named(self, event_bus_harness: EventBusHarness) -> None:
        bus, topic = event_bus_harness.bus, event_bus_harness.new_topic()
        bus.publish(topic, [Message(key=b"k", value=b"1"), Message(key=b"k", value=b"2")])
        subscription = bus.subscribe(topic, "group")
        receive_number(subscription, 2)

        subscription.commit(before={})
        untouched = waiting(bus, topic, "group")
        subscription.commit()
        subscription.close()

        assert untouched == 2
        assert waiting(bus, topic, "group") == 0

    def test_commit_before_an_earlier_offset_does_not_move_back(self, event_bus_harness: EventBusHarness) -> None:
        bus, topic = event_bus_harness.bus, event_bus_harness.new_topic()
        start = ends(bus, topic)
        bus.publish(topic, numbered(0, 10))
        subscription = bus.subscribe(topic, "group")
        receive_number(subscription, 10)
        subscription.commit()
        bus.publish(topic, numbered(10, 20))
        receive_number(subscription, 10)

        subscription.commit(before=start)
        subscription.close()

        assert waiting(bus, topic, "group") == 10
