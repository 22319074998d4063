"""The suite of threads: many publishers at once, and the members of one group."""

import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from typing import Final

from booking_core.contracts.event_bus.fixture import KEYS, POLL_SECONDS, BusFixture, Member, numbered, numbers, values
from booking_core.contracts.harness import EventBusHarness
from booking_core.domain.errors import BusUnavailable
from booking_core.ports import Message

_PUBLISHERS: Final = 6
_PUBLISHING_SECONDS: Final = 1.0
_LEAST_CALLS: Final = 50
_MOST_CALLS: Final = 3000
_BATCHES: Final = 3
# Python lets a thread run for 5 ms, in which most calls are over: a race would hardly ever be lost.
_SWITCH_SECONDS: Final = 1e-5


@contextmanager
def _often_switching() -> Iterator[None]:
    before = sys.getswitchinterval()
    sys.setswitchinterval(_SWITCH_SECONDS)
    try:
        yield
    finally:
        sys.setswitchinterval(before)


@contextmanager
def running(members: Sequence[Member]) -> Iterator[None]:
    """Run the members in threads; in the end stop them, and raise what one of them raised."""
    with ThreadPoolExecutor(len(members)) as pool:
        threads = [pool.submit(member.run) for member in members]
        try:
            yield
        finally:
            for member in members:
                member.stop()
        for thread in threads:
            thread.result()


class MembersContract:
    """`EventBus` from many threads, and groups of several members."""

    def test_messages_of_many_threads_all_arrive(self, event_bus_harness: EventBusHarness) -> None:
        """A group reads and commits meanwhile: what gets its offset early and is visible late must not be passed."""
        fixture = BusFixture.of(event_bus_harness)
        keys = self._keys_of_one_partition(fixture)
        member = Member(fixture, poll_seconds=POLL_SECONDS / 20)

        def publish(publisher: int) -> int:
            key, until = keys[publisher % len(keys)], time.monotonic() + _PUBLISHING_SECONDS
            for number in range(_MOST_CALLS):
                if number >= _LEAST_CALLS and time.monotonic() >= until:
                    return number
                fixture.bus.publish(fixture.topic, [Message(key=key, value=b"%d %d" % (publisher, number))])
            return _MOST_CALLS

        with _often_switching(), running([member]), ThreadPoolExecutor(_PUBLISHERS) as pool:
            numbers = [done.result() for done in [pool.submit(publish, number) for number in range(_PUBLISHERS)]]
            sent = {b"%d %d" % (publisher, n) for publisher, number in enumerate(numbers) for n in range(number)}
            fixture.wait(lambda: {each.value for each in member.arrived[:]} >= sent, "some messages were lost")

        for publisher, number in enumerate(numbers):
            firsts = [
                each.value or b"" for each in member.arrived if (each.value or b"").startswith(b"%d " % publisher)
            ]
            assert list(dict.fromkeys(firsts)) == [b"%d %d" % (publisher, n) for n in range(number)]
        places = {(each.partition, each.offset): each.value for each in member.arrived}
        assert len(set(places.values())) == len(places), "two messages have one offset, or one has two"
        assert fixture.waiting() == 0

    def test_two_members_share_partitions_and_one_takes_over(self, event_bus_harness: EventBusHarness) -> None:
        fixture = BusFixture.of(event_bus_harness)
        members = [Member(fixture) for _ in range(2)]
        with ThreadPoolExecutor(2) as pool:
            threads = [pool.submit(member.run) for member in members]
            try:
                sent = fixture.publish_until(0, lambda: all(member.arrived for member in members))
                sent = self._shared(fixture, members, sent)
                members[0].stop()
                threads[0].result(fixture.seconds)
                seen = len(members[1].arrived)
                sent = fixture.publish_until(sent, lambda: len(members[1].arrived) > seen)
                fixture.wait(lambda: _all_of(members) == set(range(sent)), "messages are missing")
            finally:
                for member in members:
                    member.stop()
            threads[1].result(fixture.seconds)

        for member in members:
            for key in KEYS:
                firsts = list(dict.fromkeys(numbers([each for each in member.arrived if each.key == key])))
                assert firsts == sorted(firsts)

    def test_a_commit_leaves_partitions_that_have_gone(self, event_bus_harness: EventBusHarness) -> None:
        """Another member has polled them and not committed: if it dies now, its messages must come again."""
        fixture = BusFixture.of(event_bus_harness)
        fixture.bus.publish(fixture.topic, numbered(0, 34))
        first, other = fixture.subscribe(), Member(fixture, commits=False)
        fixture.receive(first, 34)
        with running([other]):
            fixture.receive_until(first, lambda _: bool(other.arrived))
            with suppress(BusUnavailable):
                first.commit()
        first.close()
        third = fixture.subscribe()

        again = fixture.receive_until(third, lambda arrived: values(arrived) >= values(other.arrived))
        third.close()

        assert values(again) >= values(other.arrived) > set()

    def _keys_of_one_partition(self, fixture: BusFixture) -> list[bytes]:
        """Those keys of which the most are in one partition: there the publishers are in each other's way."""
        fixture.publish(0, len(KEYS))
        subscription = fixture.subscribe()
        arrived = fixture.receive(subscription, len(KEYS))
        subscription.commit()
        subscription.close()
        keys: dict[int, list[bytes]] = {}
        for each in arrived:
            keys.setdefault(each.partition, []).append(each.key or b"")
        return max(keys.values(), key=len)

    def _shared(self, fixture: BusFixture, members: Sequence[Member], sent: int) -> int:
        """Publish until the members have no message in common, while both receive; return the next free number.

        A batch in which the group changes once more may be delivered twice.
        """
        for _ in range(_BATCHES):
            batch = set(range(sent, sent + 10 * len(KEYS)))
            fixture.publish(min(batch), max(batch) + 1)
            sent += len(batch)
            fixture.wait(lambda batch=batch: _all_of(members) >= batch, "messages are missing")  # type: ignore[misc]
            shares = [values(list(member.arrived)) & batch for member in members]
            if all(shares) and not shares[0] & shares[1]:
                return sent
        raise AssertionError("both members of the group receive the same messages, or one receives all")


def _all_of(members: Sequence[Member]) -> set[int]:
    return {number for member in members for number in values(list(member.arrived))}
