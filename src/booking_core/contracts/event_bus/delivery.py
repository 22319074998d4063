"""The suite of delivery: at least once, unchanged, in order per key, and from the last commit of the group."""

from booking_core.contracts.event_bus.fixture import KEYS, POLL_SECONDS, BusFixture, numbers, values
from booking_core.contracts.harness import EventBusHarness
from booking_core.ports import Message


class EventBusContract:
    """`EventBus.publish`, `subscribe`, and `Subscription` with one member."""

    def test_a_message_is_delivered_unchanged(self, event_bus_harness: EventBusHarness) -> None:
        fixture = BusFixture.of(event_bus_harness)
        headers = {"event_type": "booking.created", "sequence": "1", "empty": "", "text": "Zürich 🎭"}
        fixture.bus.publish(fixture.topic, [Message(key=b"\x00\xff", value=b'{"price": 1.50}', headers=headers)])
        subscription = fixture.subscribe()

        (delivery,) = fixture.receive(subscription, 1)
        subscription.close()

        assert (delivery.topic, delivery.key, delivery.value) == (fixture.topic, b"\x00\xff", b'{"price": 1.50}')
        assert dict(delivery.headers) == {name: text.encode() for name, text in headers.items()}
        assert delivery.timestamp is None or delivery.timestamp.tzinfo is not None

    def test_messages_of_0_bytes_and_of_100_kb_are_delivered(self, event_bus_harness: EventBusHarness) -> None:
        fixture = BusFixture.of(event_bus_harness)
        sent = [b"", bytes(range(256)) * 400, b"x"]
        fixture.bus.publish(fixture.topic, [Message(key=b"k", value=value) for value in sent])
        subscription = fixture.subscribe()

        arrived = fixture.receive(subscription, 3)
        subscription.close()

        assert [delivery.value for delivery in arrived] == sent
        assert all(list(delivery.headers) == [] for delivery in arrived)

    def test_equal_messages_are_all_delivered(self, event_bus_harness: EventBusHarness) -> None:
        fixture = BusFixture.of(event_bus_harness)
        message = Message(key=b"k", value=b"the same")
        fixture.bus.publish(fixture.topic, [message] * 3)
        fixture.bus.publish(fixture.topic, [message])
        subscription = fixture.subscribe()

        arrived = fixture.receive(subscription, 4)
        arrived += subscription.poll(POLL_SECONDS)
        subscription.close()

        assert [delivery.value for delivery in arrived] == [b"the same"] * 4
        assert len({delivery.offset for delivery in arrived}) == 4

    def test_publishing_no_messages_delivers_nothing(self, event_bus_harness: EventBusHarness) -> None:
        fixture = BusFixture.of(event_bus_harness)
        fixture.bus.publish(fixture.topic, [])
        subscription = fixture.subscribe()

        assert list(subscription.poll(POLL_SECONDS)) == []
        subscription.commit()
        subscription.close()

    def test_messages_of_one_key_are_delivered_in_order(self, event_bus_harness: EventBusHarness) -> None:
        fixture = BusFixture.of(event_bus_harness)
        for first in range(0, 600, 150):
            fixture.publish(first, first + 150)
        subscription = fixture.subscribe()

        arrived = fixture.receive_until(subscription, lambda arrived: values(arrived) >= set(range(600)))
        subscription.close()

        for key in KEYS:
            of_key = [delivery for delivery in arrived if delivery.key == key]
            assert numbers(of_key) == sorted(values(of_key))
            assert len({delivery.partition for delivery in of_key}) == 1
        for partition in {delivery.partition for delivery in arrived}:
            offsets = [delivery.offset for delivery in arrived if delivery.partition == partition]
            assert offsets == sorted(set(offsets))

    def test_a_full_partition_arrives_whole_poll_by_poll(self, event_bus_harness: EventBusHarness) -> None:
        """More messages of one key than a poll returns, committed after each poll: none is left out at the seams."""
        fixture = BusFixture.of(event_bus_harness)
        sent = [Message(key=b"k", value=str(n).encode()) for n in range(1234)]
        fixture.bus.publish(fixture.topic, sent[:1000])
        fixture.bus.publish(fixture.topic, sent[1000:])
        arrived: list[int] = []
        subscription = fixture.subscribe()
        while len(arrived) < len(sent):
            polled = fixture.receive(subscription, 1)
            assert numbers(polled) == list(range(len(arrived), len(arrived) + len(polled)))
            arrived += numbers(polled)
            subscription.commit()
            assert fixture.waiting() == len(sent) - len(arrived)

        assert list(subscription.poll(POLL_SECONDS)) == []
        subscription.close()

    def test_the_next_member_continues_behind_a_full_poll(self, event_bus_harness: EventBusHarness) -> None:
        fixture = BusFixture.of(event_bus_harness)
        fixture.bus.publish(fixture.topic, [Message(key=b"k", value=str(n).encode()) for n in range(1234)])
        first = fixture.subscribe()
        polled = fixture.receive(first, 1)
        first.commit()
        first.close()
        second = fixture.subscribe()

        arrived = fixture.receive(second, 1234 - len(polled))
        second.close()

        assert numbers(arrived) == list(range(len(polled), 1234))

    def test_uncommitted_messages_are_delivered_again(self, event_bus_harness: EventBusHarness) -> None:
        fixture = BusFixture.of(event_bus_harness)
        fixture.publish(0, 20)
        first = fixture.subscribe()
        fixture.receive(first, 20)
        first.close()
        second = fixture.subscribe()

        again = fixture.receive(second, 20)
        second.close()

        assert values(again) == set(range(20))

    def test_committed_messages_are_not_delivered_again(self, event_bus_harness: EventBusHarness) -> None:
        fixture = BusFixture.of(event_bus_harness)
        fixture.publish(0, 20)
        first = fixture.subscribe()
        fixture.receive(first, 20)
        first.commit()
        first.close()
        first.close()
        fixture.publish(20, 30)
        second = fixture.subscribe()

        arrived = fixture.receive(second, 10)
        second.close()

        assert values(arrived) == set(range(20, 30))

    def test_commit_commits_nothing_that_was_not_polled(self, event_bus_harness: EventBusHarness) -> None:
        fixture = BusFixture.of(event_bus_harness)
        fixture.publish(0, 20)
        subscription = fixture.subscribe()
        fixture.receive(subscription, 20)
        fixture.publish(20, 30)
        subscription.commit()
        subscription.close()
        following = fixture.subscribe()

        arrived = fixture.receive(following, 10)
        following.close()

        assert values(arrived) == set(range(20, 30))

    def test_polling_again_goes_on_without_a_commit(self, event_bus_harness: EventBusHarness) -> None:
        fixture = BusFixture.of(event_bus_harness)
        fixture.publish(0, 20)
        subscription = fixture.subscribe()
        fixture.receive(subscription, 20)
        fixture.publish(20, 30)

        following = fixture.receive(subscription, 10)
        subscription.close()

        assert values(following) == set(range(20, 30))

    def test_rewind_returns_to_the_last_commit(self, event_bus_harness: EventBusHarness) -> None:
        fixture = BusFixture.of(event_bus_harness)
        fixture.publish(0, 10)
        subscription = fixture.subscribe()
        fixture.receive(subscription, 10)
        subscription.commit()
        fixture.publish(10, 20)
        fixture.receive(subscription, 10)
        subscription.rewind()
        subscription.commit()

        again = fixture.receive(subscription, 10)
        subscription.close()

        assert values(again) == set(range(10, 20))

    def test_every_group_receives_every_message(self, event_bus_harness: EventBusHarness) -> None:
        fixture = BusFixture.of(event_bus_harness)
        fixture.publish(0, 20)
        for group in ("one", "two"):
            subscription = fixture.subscribe(group)
            assert values(fixture.receive(subscription, 20)) == set(range(20))
            subscription.commit()
            subscription.close()

    def test_a_message_is_delivered_in_its_topic_only(self, event_bus_harness: EventBusHarness) -> None:
        here, there = BusFixture.of(event_bus_harness), BusFixture.of(event_bus_harness)
        there.publish(0, 5)
        here.publish(5, 10)
        subscription = here.subscribe()

        assert values(here.receive(subscription, 5)) == set(range(5, 10))
        subscription.close()
        assert there.waiting() == 5
