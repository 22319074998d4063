"""The suite of the outbox: order per key, every event, and none again after it is marked."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from functools import partial
from uuid import UUID

from booking_core.contracts.harness import StoreHarness
from booking_core.contracts.store.fixture import CORRELATION, StoreFixture, in_parallel
from booking_core.contracts.store.payments import failing, paying, starting
from booking_core.contracts.wire import envelope_of
from booking_core.messages import envelopes
from booking_core.messages.trace_context import traced_as
from booking_core.ports import EventSelection, OutboxRecord, Store

_TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def sequences(records: Sequence[OutboxRecord]) -> dict[UUID, list[int]]:
    """Return the sequence numbers of the events by key, in the order given."""
    found: dict[UUID, list[int]] = defaultdict(list)
    for record in records:
        found[record.key].append(record.sequence)
    return dict(found)


class OutboxContract:
    """`Outbox`."""

    def test_an_empty_outbox_returns_nothing(self, store_harness: StoreHarness) -> None:
        outbox = store_harness.store.outbox

        assert list(outbox.unpublished(10)) == []
        assert outbox.mark_published([]) == 0
        assert store_harness.store.upkeep.prune(idempotency_hours=0, retention_days=0, limit=10).total == 0

    def test_the_stored_message_is_the_envelope(self, store_harness: StoreHarness) -> None:
        fixture = StoreFixture.of(store_harness)
        made = fixture.reserve(0)
        (created,) = made.new_events

        (record,) = fixture.store.outbox.unpublished(10)

        assert record.message_id == created.message_id
        assert record.correlation_id == CORRELATION
        assert record.recorded_at == created.timestamp
        assert envelope_of(record) == envelopes.envelope_of(created)

    def test_an_event_is_stored_with_its_trace(self, store_harness: StoreHarness) -> None:
        fixture = StoreFixture.of(store_harness)
        with traced_as(_TRACE):
            fixture.reserve(0)
            booking = fixture.reserve(1)
        fixture.cancel(booking)
        fixture.reserve(2)
        with traced_as("00-nonsense"):
            fixture.reserve(3, user="grace")

        waiting = fixture.store.outbox.unpublished(10)
        fixture.store.outbox.mark_published(waiting)
        stored = fixture.store.outbox.stored(EventSelection(), None, 10)

        assert [record.traceparent for record in waiting] == [_TRACE, _TRACE, None, None, None]
        assert sorted(str(record.traceparent) for record in stored) == [_TRACE, _TRACE, "None", "None", "None"]

    def test_one_bookings_events_are_in_order_without_gaps(self, store_harness: StoreHarness) -> None:
        fixture = StoreFixture.of(store_harness)
        made = self._two_bookings(fixture)

        everything = fixture.store.outbox.unpublished(100)

        assert sequences(everything) == {booking_id: [1, 2, 3] for booking_id in made}

    def test_small_batches_are_in_order(self, store_harness: StoreHarness) -> None:
        fixture = StoreFixture.of(store_harness)
        made = self._two_bookings(fixture)

        taken = self._publish_all(fixture.store, 1)

        assert sequences(taken) == {booking_id: [1, 2, 3] for booking_id in made}

    def test_marked_events_are_not_returned_again(self, store_harness: StoreHarness) -> None:
        fixture = StoreFixture.of(store_harness)
        self._two_bookings(fixture)
        first = fixture.store.outbox.unpublished(2)
        assert list(fixture.store.outbox.unpublished(2)) == list(first), "reading marks nothing"
        marked = [fixture.store.outbox.mark_published(records) for records in (first[:1], first, first)]
        assert marked == [1, 1, 0], "only records that were not marked before count"

        rest = fixture.store.outbox.unpublished(100)

        assert len(first) == 2
        assert len(rest) == 4
        assert {record.message_id for record in first}.isdisjoint(record.message_id for record in rest)
        assert len(store_harness.events()) == 6

    def test_an_open_unit_of_work_hides_only_its_own_events(self, store_harness: StoreHarness) -> None:
        fixture = StoreFixture.of(store_harness)
        slow = fixture.new_booking(0)
        with fixture.store.unit_of_work() as uow:
            uow.bookings.add(slow)
            fast = fixture.reserve(1, user="grace")
            taken = self._publish_all(fixture.store, 10)
            uow.commit()
        late = self._publish_all(fixture.store, 10)

        assert [record.key for record in taken] == [fast.booking_id]
        assert [record.key for record in late] == [slow.booking_id], "a late commit is not skipped"

    def test_pruning_removes_events_published_long_ago(self, store_harness: StoreHarness) -> None:
        fixture = StoreFixture.of(store_harness)
        fixture.reserve(0)
        fixture.reserve(1)
        fixture.store.outbox.mark_published(fixture.store.outbox.unpublished(10))
        waiting = fixture.reserve(2)
        store_harness.advance(8 * 86400)
        young = fixture.reserve(3)
        fixture.store.outbox.mark_published(
            [record for record in fixture.store.outbox.unpublished(10) if record.key == young.booking_id]
        )

        prune = fixture.store.upkeep.prune
        pruned = [prune(idempotency_hours=24, retention_days=7, limit=1).events for _ in range(3)]

        assert pruned == [1, 1, 0]
        assert {record.key for record in store_harness.events()} == {waiting.booking_id, young.booking_id}
        assert [record.key for record in fixture.store.outbox.unpublished(10)] == [waiting.booking_id]

    def test_relaying_while_others_write_is_complete_and_in_order(self, store_harness: StoreHarness) -> None:
        fixture = StoreFixture.of(store_harness, seats=8)

        def live(place: int) -> list[OutboxRecord]:
            made = fixture.reserve(place, user=f"user-{place}")
            fixture.change(made.booking_id, failing("pay-1"))
            fixture.change(made.booking_id, paying("pay-1"))
            return []

        def relay() -> list[OutboxRecord]:
            return [record for _ in range(50) for record in self._publish_some(fixture.store, 3)]

        jobs: list[Callable[[], list[OutboxRecord]]] = [*(partial(live, place) for place in range(8)), relay]
        outcomes = in_parallel(jobs)
        taken = [record for outcome in outcomes if isinstance(outcome, list) for record in outcome]
        taken += self._publish_all(fixture.store, 3)

        assert len(taken) == 24
        assert all(numbers == [1, 2, 3] for numbers in sequences(taken).values())

    def _two_bookings(self, fixture: StoreFixture) -> set[UUID]:
        """Make two bookings with three events each, stored in turns."""
        made = [fixture.reserve(place).booking_id for place in (0, 1)]
        for verb in (starting("pay-1"), paying("pay-1"), paying("pay-2")):
            for booking_id in made:
                fixture.change(booking_id, verb)
        return set(made)

    def _publish_some(self, store: Store, limit: int) -> Sequence[OutboxRecord]:
        records = store.outbox.unpublished(limit)
        assert len(records) <= limit
        store.outbox.mark_published(records)
        return records

    def _publish_all(self, store: Store, limit: int) -> list[OutboxRecord]:
        taken: list[OutboxRecord] = []
        while records := self._publish_some(store, limit):
            taken += records
            assert len(taken) < 1000, "marked events are returned again"
        return taken
