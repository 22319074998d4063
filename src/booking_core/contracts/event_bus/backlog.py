"""The suite of backlogs: the messages that wait for a group, and commits of a part of them."""

import time
from datetime import UTC, datetime, timedelta
from typing import Final

from booking_core.contracts.event_bus.fixture import BusFixture, values
from booking_core.contracts.harness import EventBusHarness
from booking_core.ports import Message

_TICK: Final = timedelta(milliseconds=1)


def _until_later_than(moment: datetime) -> None:
    """Wait until a clock with a resolution of milliseconds shows a later time than that moment."""
    while datetime.now(UTC) <= moment + 2 * _TICK:
        time.sleep(_TICK.total_seconds())


class BacklogContract:
    """`EventBus.backlog`, `oldest`, and `Subscription.commit` with `before`."""

    def test_backlog_of_an_empty_topic_names_every_partition(self, event_bus_harness: EventBusHarness) -> None:
        fixture = BusFixture.of(event_bus_harness)

        backlog = fixture.bus.backlog(fixture.topic, "group")

        assert len(backlog) >= 2, "every partition is named"
        assert all(len(offsets) == 0 for offsets in backlog.values())

    def test_oldest_without_a_backlog_is_none(self, event_bus_harness: EventBusHarness) -> None:
        fixture = BusFixture.of(event_bus_harness)

        assert fixture.bus.oldest(fixture.topic, "group") is None
        fixture.publish(0, 20)
        subscription = fixture.subscribe()
        fixture.receive(subscription, 20)
        subscription.commit()
        subscription.close()

        assert fixture.bus.oldest(fixture.topic, "group") is None

    def test_oldest_is_when_the_first_uncommitted_message_was_sent(self, event_bus_harness: EventBusHarness) -> None:
        fixture = BusFixture.of(event_bus_harness)
        begun = datetime.now(UTC)
        fixture.publish(0, 1)  # in one partition only: the others begin with younger ones
        between = datetime.now(UTC)
        subscription = fixture.subscribe()
        fixture.receive(subscription, 1)
        first = fixture.bus.oldest(fixture.topic, "group")
        subscription.commit()
        subscription.close()
        _until_later_than(between)
        fixture.publish(1, 21)

        second, of_another = fixture.bus.oldest(fixture.topic, "group"), fixture.bus.oldest(fixture.topic, "another")

        # Brokers keep whole milliseconds.
        assert first is not None
        assert begun - _TICK <= first <= between
        assert second is not None
        assert between < second <= datetime.now(UTC)
        assert of_another == first
        assert fixture.waiting() == 20, "`oldest` consumes nothing"

    def test_backlog_of_a_new_group_contains_every_message(self, event_bus_harness: EventBusHarness) -> None:
        fixture = BusFixture.of(event_bus_harness)
        fixture.publish(0, 20)

        backlog = fixture.bus.backlog(fixture.topic, "group")
        subscription = fixture.subscribe()
        arrived = fixture.receive(subscription, 20)
        subscription.close()

        assert fixture.waiting() == 20, "`backlog` and `poll` commit nothing"
        assert {(delivery.partition, delivery.offset) for delivery in arrived} == {
            (partition, offset) for partition, offsets in backlog.items() for offset in offsets
        }

    def test_backlog_shrinks_with_commits_and_grows_with_messages(self, event_bus_harness: EventBusHarness) -> None:
        fixture = BusFixture.of(event_bus_harness)
        fixture.publish(0, 20)
        subscription = fixture.subscribe()
        fixture.receive(subscription, 20)
        subscription.commit()
        after_commit = fixture.waiting()
        fixture.publish(20, 27)

        assert after_commit == 0
        assert fixture.waiting() == 7
        assert fixture.waiting("another") == 27
        fixture.receive(subscription, 7)
        subscription.close()
        assert fixture.waiting() == 7, "polled and uncommitted messages still wait"

    def test_commit_before_an_offset_leaves_later_messages(self, event_bus_harness: EventBusHarness) -> None:
        fixture = BusFixture.of(event_bus_harness)
        fixture.publish(0, 20)
        mark = fixture.ends()
        fixture.publish(20, 50)
        subscription = fixture.subscribe()
        fixture.receive(subscription, 50)
        subscription.commit(before=mark)
        subscription.close()

        left = fixture.bus.backlog(fixture.topic, "group")
        following = fixture.subscribe()
        arrived = fixture.receive(following, 30)
        following.close()

        assert {partition: offsets.start for partition, offsets in left.items()} == mark
        assert values(arrived) == set(range(20, 50))

    def test_messages_left_by_a_commit_can_be_rewound_and_committed(self, event_bus_harness: EventBusHarness) -> None:
        fixture = BusFixture.of(event_bus_harness)
        fixture.publish(0, 10)
        mark = fixture.ends()
        fixture.publish(10, 30)
        subscription = fixture.subscribe()
        fixture.receive(subscription, 30)
        subscription.commit(before=mark)
        subscription.rewind()

        again = fixture.receive(subscription, 20)
        subscription.commit()
        subscription.close()

        assert values(again) == set(range(10, 30))
        assert fixture.waiting() == 0

    def test_commit_leaves_partitions_that_are_not_named(self, event_bus_harness: EventBusHarness) -> None:
        fixture = BusFixture.of(event_bus_harness)
        fixture.bus.publish(fixture.topic, [Message(key=b"k", value=b"1"), Message(key=b"k", value=b"2")])
        subscription = fixture.subscribe()
        fixture.receive(subscription, 2)

        subscription.commit(before={})
        untouched = fixture.waiting()
        subscription.commit()
        subscription.close()

        assert untouched == 2
        assert fixture.waiting() == 0

    def test_commit_before_a_later_offset_commits_what_was_polled(self, event_bus_harness: EventBusHarness) -> None:
        fixture = BusFixture.of(event_bus_harness)
        fixture.publish(0, 10)
        subscription = fixture.subscribe()
        fixture.receive(subscription, 10)
        fixture.publish(10, 30)

        subscription.commit(before={**fixture.ends(), 10_000: 7})  # of a partition that there is not, nothing
        subscription.close()

        assert fixture.waiting() == 20

    def test_commit_before_an_earlier_offset_does_not_move_back(self, event_bus_harness: EventBusHarness) -> None:
        fixture = BusFixture.of(event_bus_harness)
        start = fixture.ends()
        fixture.publish(0, 10)
        subscription = fixture.subscribe()
        fixture.receive(subscription, 10)
        subscription.commit()
        fixture.publish(10, 20)
        fixture.receive(subscription, 10)

        subscription.commit(before=start)
        subscription.close()

        assert fixture.waiting() == 10
