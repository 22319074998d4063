"""Events read again after they were published: selected, in order, a page at a time."""

from datetime import timedelta
from itertools import pairwise
from uuid import UUID, uuid4

from booking_core.application import cancel_event
from booking_core.contracts.harness import StoreHarness
from booking_core.contracts.store.fixture import CORRELATION, StoreFixture
from booking_core.domain.commands import CancelEvent
from booking_core.ports import EventSelection, OutboxRecord, Store

EVERYTHING = EventSelection()


def publish_all(store: Store) -> None:
    """Mark whatever waits, as a relay would."""
    while records := store.outbox.unpublished(100):
        store.outbox.mark_published(records)


def pages(store: Store, selection: EventSelection, limit: int) -> list[OutboxRecord]:
    """All that is selected, read in pages of that size."""
    found: list[OutboxRecord] = []
    while page := store.outbox.stored(selection, found[-1] if found else None, limit):
        assert len(page) <= limit
        found += page
        assert len(found) < 1000, "pages come again and again"
    return found


def by_key(records: list[OutboxRecord]) -> dict[UUID, list[str]]:
    """The types of the events by key, in the order given; AssertionError where a key's events are torn apart."""
    found: dict[UUID, list[str]] = {}
    for before, record in zip([None, *records], records, strict=False):
        assert record.key not in found or (before is not None and before.key == record.key), "a key comes back"
        found.setdefault(record.key, []).append(record.event_type)
    return found


class StoredEventsContract:
    """`Outbox.stored`."""

    def test_what_waits_is_not_found(self, store_harness: StoreHarness) -> None:
        fixture = StoreFixture.of(store_harness)
        first = fixture.reserve(0)
        publish_all(fixture.store)
        fixture.cancel(first)
        fixture.reserve(1)

        assert by_key(pages(fixture.store, EVERYTHING, 10)) == {first.booking_id: ["booking.created"]}

    def test_a_record_is_as_it_was_when_it_waited(self, store_harness: StoreHarness) -> None:
        fixture = StoreFixture.of(store_harness)
        fixture.reserve(0)
        waiting = list(fixture.store.outbox.unpublished(10))
        publish_all(fixture.store)

        assert pages(fixture.store, EVERYTHING, 10) == waiting

    def test_pages_of_any_size_find_everything_once_and_in_order(self, store_harness: StoreHarness) -> None:
        fixture = StoreFixture.of(store_harness)
        made = [fixture.reserve(place, user=f"user-{place}") for place in range(4)]
        for booking in made:
            fixture.pay(booking)
        for booking in reversed(made):
            fixture.cancel(booking)
        publish_all(fixture.store)

        whole = pages(fixture.store, EVERYTHING, 100)

        types = ["booking.created", "booking.confirmed", "booking.cancelled", "booking.refund_requested"]
        assert by_key(whole) == {booking.booking_id: types for booking in made}
        for record, following in pairwise(whole):
            assert record.key != following.key or following.sequence == record.sequence + 1
        for limit in (1, 3, 16):
            assert pages(fixture.store, EVERYTHING, limit) == whole

    def test_of_one_booking(self, store_harness: StoreHarness) -> None:
        fixture = StoreFixture.of(store_harness)
        mine, _ = fixture.reserve(0), fixture.reserve(1)
        fixture.cancel(mine)
        publish_all(fixture.store)

        selected = EventSelection(booking_id=mine.booking_id)

        assert by_key(pages(fixture.store, selected, 1)) == {mine.booking_id: ["booking.created", "booking.cancelled"]}
        assert pages(fixture.store, EventSelection(booking_id=uuid4()), 10) == []

    def test_of_one_event_with_its_own_end(self, store_harness: StoreHarness) -> None:
        fixture, other = StoreFixture.of(store_harness), StoreFixture.of(store_harness)
        mine = [fixture.reserve(place) for place in (0, 1)]
        other.reserve(0, user="grace")
        event_id = fixture.event.event_id
        command = CancelEvent(event_id=event_id, reason="flood", administrator="root", correlation_id=CORRELATION)
        cancel_event(command, store=fixture.store)
        publish_all(fixture.store)

        found = by_key(pages(fixture.store, EventSelection(event_id=event_id), 1))

        assert found == {booking.booking_id: ["booking.created"] for booking in mine} | {event_id: ["event.cancelled"]}

    def test_of_some_types(self, store_harness: StoreHarness) -> None:
        fixture = StoreFixture.of(store_harness)
        booking = fixture.reserve(0)
        fixture.pay(booking)
        fixture.cancel(booking)
        publish_all(fixture.store)

        types = frozenset({"booking.created", "booking.cancelled"})
        found = pages(fixture.store, EventSelection(types=types), 1)

        assert [record.event_type for record in found] == ["booking.created", "booking.cancelled"]
        assert pages(fixture.store, EventSelection(types=frozenset({"booking.expired"})), 10) == []

    def test_from_one_moment_to_before_another(self, store_harness: StoreHarness) -> None:
        fixture = StoreFixture.of(store_harness)
        made = [fixture.reserve(place, user=f"user-{place}").booking_id for place in range(3)]
        publish_all(fixture.store)
        at = {record.key: record.recorded_at for record in pages(fixture.store, EVERYTHING, 10)}
        assert at[made[0]] < at[made[1]] < at[made[2]]

        def between(selection: EventSelection) -> set[UUID]:
            return {record.key for record in pages(fixture.store, selection, 2)}

        assert between(EventSelection(since=at[made[1]])) == {made[1], made[2]}
        assert between(EventSelection(until=at[made[1]])) == {made[0]}
        assert between(EventSelection(since=at[made[1]], until=at[made[2]])) == {made[1]}
        assert between(EventSelection(since=at[made[2]] + timedelta(seconds=1))) == set()

    def test_conditions_are_met_together(self, store_harness: StoreHarness) -> None:
        fixture, other = StoreFixture.of(store_harness), StoreFixture.of(store_harness)
        booking = fixture.reserve(0)
        fixture.cancel(booking)
        publish_all(fixture.store)
        created = EventSelection(booking_id=booking.booking_id, types=frozenset({"booking.created"}))
        elsewhere = EventSelection(booking_id=booking.booking_id, event_id=other.event.event_id)

        assert [record.sequence for record in pages(fixture.store, created, 10)] == [1]
        assert pages(fixture.store, elsewhere, 10) == []

    def test_what_was_pruned_is_gone(self, store_harness: StoreHarness) -> None:
        fixture = StoreFixture.of(store_harness)
        fixture.reserve(0)
        publish_all(fixture.store)
        store_harness.advance(8 * 86400)
        young = fixture.reserve(1)
        publish_all(fixture.store)
        fixture.store.upkeep.prune(idempotency_hours=24, retention_days=7, limit=10)

        assert set(by_key(pages(fixture.store, EVERYTHING, 10))) == {young.booking_id}
