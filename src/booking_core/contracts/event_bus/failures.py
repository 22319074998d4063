"""The suite of waits and failures: polls that keep their time, and errors of the port alone."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Final

from booking_core.contracts.event_bus.fixture import POLL_SECONDS, BusFixture, numbered, values
from booking_core.contracts.harness import EventBusHarness
from booking_core.domain.errors import BusUnavailable
from booking_core.ports import Delivery, EventBus, Subscription

# A machine under load may be so late; a poll that keeps its time is seldom late three times in a row.
_LATE_SECONDS: Final = 0.5
_ATTEMPTS: Final = 3
_LONG_POLL_SECONDS: Final = 12.0


def _seconds_of(call: Callable[[], object]) -> float:
    begun = time.monotonic()
    call()
    return time.monotonic() - begun


def unavailable(call: Callable[[], object]) -> None:
    """Assert that the call raises BusUnavailable; any other error is raised as it is."""
    try:
        call()
    except BusUnavailable:
        return
    raise AssertionError("BusUnavailable was not raised")


class FailuresContract:
    """The time that `poll` takes; a bus that is closed or cannot be reached."""

    def test_poll_takes_its_timeout_and_no_longer(self, event_bus_harness: EventBusHarness) -> None:
        fixture, subscription = self._joined(event_bus_harness)

        for timeout in (POLL_SECONDS, 2 * POLL_SECONDS):
            took = [_seconds_of(lambda: subscription.poll(timeout)) for _ in range(_ATTEMPTS)]  # noqa: B023
            assert min(took) <= timeout + _LATE_SECONDS, f"poll({timeout}) took {min(took):.2f} s"
            assert max(took) >= timeout / 2, f"poll({timeout}) returned nothing after {max(took):.2f} s: it must wait"
        subscription.close()
        assert fixture.waiting() == 0

    def test_poll_without_a_timeout_returns_at_once(self, event_bus_harness: EventBusHarness) -> None:
        fixture, subscription = self._joined(event_bus_harness)

        assert min(_seconds_of(lambda: subscription.poll(0)) for _ in range(_ATTEMPTS)) <= _LATE_SECONDS
        fixture.publish(1, 11)
        arrived: list[Delivery] = []

        def have_arrived() -> bool:
            arrived.extend(subscription.poll(0))
            return len(arrived) >= 10

        fixture.wait(have_arrived, "messages are missing")
        subscription.close()

        assert values(arrived) == set(range(1, 11))

    def test_poll_returns_when_a_message_arrives(self, event_bus_harness: EventBusHarness) -> None:
        fixture, subscription = self._joined(event_bus_harness)

        with ThreadPoolExecutor(1) as pool:
            waiting = pool.submit(lambda: (subscription.poll(_LONG_POLL_SECONDS), time.monotonic()))
            time.sleep(POLL_SECONDS)
            published_at = time.monotonic()
            fixture.publish(1, 2)
            arrived, at = waiting.result(fixture.seconds)
        subscription.close()

        assert values(arrived) == {1}
        assert at - published_at < _LONG_POLL_SECONDS / 2, "poll slept, although a message had arrived"

    def test_a_closed_subscription_is_unavailable(self, event_bus_harness: EventBusHarness) -> None:
        fixture, subscription = self._joined(event_bus_harness)
        subscription.close()

        unavailable(lambda: subscription.poll(POLL_SECONDS))
        unavailable(subscription.commit)
        subscription.close()
        fixture.publish(1, 2)
        following = fixture.subscribe()
        assert values(fixture.receive(following, 1)) == {1}
        following.close()

    def test_a_closed_bus_is_unavailable(self, event_bus_harness: EventBusHarness) -> None:
        fixture, subscription = self._joined(event_bus_harness)

        fixture.bus.close()
        fixture.bus.close()

        unavailable(lambda: subscription.poll(POLL_SECONDS))
        unavailable(subscription.commit)
        self._all_calls_are_unavailable(fixture, fixture.bus)
        subscription.close()

    def test_a_poll_ends_when_the_bus_is_closed(self, event_bus_harness: EventBusHarness) -> None:
        fixture, subscription = self._joined(event_bus_harness)

        with ThreadPoolExecutor(1) as pool:
            waiting = pool.submit(subscription.poll, _LONG_POLL_SECONDS)
            time.sleep(POLL_SECONDS)
            took = _seconds_of(fixture.bus.close)
            with suppress(BusUnavailable):
                assert list(waiting.result(fixture.seconds)) == []

        assert took <= _LONG_POLL_SECONDS / 2, f"the bus was closed after {took:.2f} s, when the poll was over"

    def test_a_subscription_that_has_not_polled_commits_nothing(self, event_bus_harness: EventBusHarness) -> None:
        fixture = BusFixture.of(event_bus_harness)
        fixture.publish(0, 10)
        subscription = fixture.subscribe()

        subscription.commit()
        subscription.commit(before=fixture.ends())
        subscription.rewind()
        subscription.commit()
        assert fixture.waiting() == 10
        arrived = fixture.receive(subscription, 10)
        subscription.close()

        assert values(arrived) == set(range(10))

    def test_an_unknown_topic_is_made_or_unavailable(self, event_bus_harness: EventBusHarness) -> None:
        fixture = BusFixture.of(event_bus_harness)
        unknown = f"{fixture.topic}-unknown"

        for call in (
            lambda: fixture.bus.backlog(unknown, "group"),
            lambda: fixture.bus.oldest(unknown, "group"),
            lambda: fixture.bus.publish(unknown, numbered(0, 1)),
        ):
            with suppress(BusUnavailable):
                call()

    def test_a_bus_that_cannot_be_reached_is_unavailable(self, event_bus_harness: EventBusHarness) -> None:
        """Whatever the driver raises: callers know the port's errors alone."""
        fixture = BusFixture.of(event_bus_harness)
        make: Callable[[], EventBus | None] = getattr(event_bus_harness, "unreachable", lambda: None)
        bus = make()
        if bus is None:
            return
        try:
            self._all_calls_are_unavailable(fixture, bus)
        finally:
            bus.close()

    def _all_calls_are_unavailable(self, fixture: BusFixture, bus: EventBus) -> None:
        unavailable(lambda: bus.publish(fixture.topic, numbered(0, 1)))
        unavailable(lambda: bus.backlog(fixture.topic, "group"))
        unavailable(lambda: bus.oldest(fixture.topic, "group"))
        unavailable(lambda: self._poll_until_it_fails(fixture, bus))

    def _poll_until_it_fails(self, fixture: BusFixture, bus: EventBus) -> None:
        """An outage may be noticed after some time: a poll that returns nothing does not show it."""
        subscription = bus.subscribe(fixture.topic, "group")
        try:
            give_up_at = time.monotonic() + fixture.seconds
            while time.monotonic() < give_up_at:
                subscription.poll(POLL_SECONDS)
        finally:
            subscription.close()

    def _joined(self, harness: EventBusHarness) -> tuple[BusFixture, Subscription]:
        """A member whose group has its partitions, and which has committed one message."""
        fixture = BusFixture.of(harness)
        fixture.publish(0, 1)
        subscription = fixture.subscribe()
        fixture.receive(subscription, 1)
        subscription.commit()
        return fixture, subscription
