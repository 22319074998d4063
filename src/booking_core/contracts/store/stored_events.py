"""The suite of published events: selected, in order, in pages."""

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
    """Mark all waiting events as published, as a relay would."""
    while records := store.outbox.unpublished(100):
        store.outbox.mark_published(records)


def pages(store: Store, selection: EventSelection, limit: int) -> list[OutboxRecord]:
    """Read all selected events in pages of that size."""
    found: list[OutboxRecord] = []
    while page := store.outbox.stored(selection, found[-1] if found else None, limit):
        assert len(page) <= limit
        found += page
        assert len(found) < 1000, "the pages do not end"
    return found


def by_key(records: list[OutboxRecord]) -> dict[UUID, list[str]]:
    """Return the event types by key, in order. Raises AssertionError if the events of a key are not adjacent."""
    found: dict[UUID, list[str]] = {}
    for before, record in zip([None, *records], records, strict=False):
        assert record.key not in found or (before is not None and before.key == record.key), (
            "the events of a key are not adjacent"
        )
        found.setdefault(record.key, []).append(record.event_type)
    return found


class StoredEventsContract:
    """`Outbox.stored`."""

    def test_unpublished_events_are_not_returned(self, store_harness: StoreHarness) -> None:
        fixture = StoreFixture.of(store_harness)
        first = fixture.reserve(0)
        publish_all(fixture.store)
        fixture.cancel(first)
        fixture.reserve(1)

        assert by_key(pages(fixture.store, EVERYTHING, 10)) == {first.booking_id: ["booking.created"]}

    def test_a_published_record_equals_the_unpublished_one(self, store_harness: StoreHarness) -> None:
        fixture = StoreFixture.of(store_harness)
        fixture.reserve(0)
        waiting = list(fixture.store.outbox.unpublished(10))
        publish_all(fixture.store)

        assert pages(fixture.store, EVERYTHING, 10) == waiting

    def test_pages_of_any_size_return_all_events_once_in_order(self, store_harness: StoreHarness) -> None:
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

    def test_a_selection_by_booking(self, store_harness: StoreHarness) -> None:
        fixture = StoreFixture.of(store_harness)
        mine, _ = fixture.reserve(0), fixture.reserve(1)
        fixture.cancel(mine)
        publish_all(fixture.store)

        selected = EventSelection(booking_id=mine.booking_id)

        assert by_key(pages(fixture.store, selected, 1)) == {mine.booking_id: ["booking.created", "booking.cancelled"]}
        assert pages(fixture.store, EventSelection(booking_id=uuid4()), 10) == []

    def test_a_selection_by_event_includes_event_cancelled(self, store_harness: StoreHarness) -> None:
        fixture, other = StoreFixture.of(store_harness), StoreFixture.of(store_harness)
        mine = [fixture.reserve(place) for place in (0, 1)]
        other.reserve(0, user="grace")
        event_id = fixture.event.event_id
        command = CancelEvent(event_id=event_id, reason="flood", administrator="root", correlation_id=CORRELATION)
        cancel_event(command, store=fixture.store)
        publish_all(fixture.store)

        found = by_key(pages(fixture.store, EventSelection(event_id=event_id), 1))

        assert found == {booking.booking_id: ["booking.created"] for booking in mine} | {event_id: ["event.cancelled"]}

    def test_a_selection_by_types(self, store_harness: StoreHarness) -> None:
        fixture = StoreFixture.of(store_harness)
        booking = fixture.reserve(0)
        fixture.pay(booking)
        fixture.cancel(booking)
        publish_all(fixture.store)

        types = frozenset({"booking.created", "booking.cancelled"})
        found = pages(fixture.store, EventSelection(types=types), 1)

        assert [record.event_type for record in found] == ["booking.created", "booking.cancelled"]
        assert pages(fixture.store, EventSelection(types=frozenset({"booking.expired"})), 10) == []

    def test_a_selection_by_time_includes_since_and_excludes_until(self, store_harness: StoreHarness) -> None:
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

    def test_a_selection_combines_its_conditions(self, store_harness: StoreHarness) -> None:
        fixture, other = StoreFixture.of(store_harness), StoreFixture.of(store_harness)
        booking = fixture.reserve(0)
        fixture.cancel(booking)
        publish_all(fixture.store)
        created = EventSelection(booking_id=booking.booking_id, types=frozenset({"booking.created"}))
        elsewhere = EventSelection(booking_id=booking.booking_id, event_id=other.event.event_id)

        assert [record.sequence for record in pages(fixture.store, created, 10)] == [1]
        assert pages(fixture.store, elsewhere, 10) == []

    def test_pruned_events_are_not_returned(self, store_harness: StoreHarness) -> None:
        fixture = StoreFixture.of(store_harness)
        fixture.reserve(0)
        publish_all(fixture.store)
        store_harness.advance(8 * 86400)
        young = fixture.reserve(1)
        publish_all(fixture.store)
        fixture.store.upkeep.prune(idempotency_hours=24, retention_days=7, limit=10)

        assert set(by_key(pages(fixture.store, EVERYTHING, 10))) == {young.booking_id}
