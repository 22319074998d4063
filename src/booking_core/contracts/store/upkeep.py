"""The suites of upkeep: pruning, health, backlogs and statistics."""

from booking_core.application import confirm_payment, expire
from booking_core.contracts.harness import StoreHarness
from booking_core.contracts.store.closures import close, closing, finish
from booking_core.contracts.store.fixture import CORRELATION, StoreFixture, content_of, refused
from booking_core.contracts.store.payments import answering
from booking_core.domain.commands import ConfirmPayment
from booking_core.domain.errors import PendingLimitReached
from booking_core.domain.identity import new_id
from booking_core.domain.lifecycle import Status
from booking_core.domain.payments import RefundStatus
from booking_core.ports import HealthKind, Store


def prune_everything(store: Store) -> int:
    """Prune until nothing is left to remove; return the number of rows removed."""
    removed = 0
    while step := store.upkeep.prune(idempotency_hours=0, retention_days=0, limit=100).total:
        removed += step
    return removed


class PruningContract:
    """`Upkeep.prune`."""

    def test_pruning_keeps_bookings_and_their_history(self, store_harness: StoreHarness) -> None:
        fixture = StoreFixture.of(store_harness)
        store = fixture.store
        kept, given_back, overdue = (fixture.reserve(place, user=f"user-{place}") for place in range(3))
        for booking in (kept, given_back):
            fixture.pay(booking)
        fixture.cancel(given_back)
        store.outbox.mark_published(store.outbox.unpublished(100))
        store_harness.advance(400 * 86_400)
        made = (kept, given_back, overdue)
        before = [(content_of(fixture.stored(each)), list(store.reads.history(each.booking_id))) for each in made]

        assert prune_everything(store) > 0
        assert prune_everything(store) == 0

        after = [(content_of(fixture.stored(each)), list(store.reads.history(each.booking_id))) for each in made]
        assert after == before
        assert [len(history) for _, history in after] == [2, 3, 1]
        assert store.reads.statistics().unanswered_refunds == 1
        assert expire(store=store).expired == 1

    def test_pruning_keeps_unpublished_events_of_any_age(self, store_harness: StoreHarness) -> None:
        fixture = StoreFixture.of(store_harness)
        fixture.reserve(0)
        store_harness.advance(400 * 86_400)

        prune_everything(fixture.store)

        assert [record.event_type for record in fixture.store.outbox.unpublished(10)] == ["booking.created"]

    def test_pruning_keeps_holds_that_count_for_the_limit(self, store_harness: StoreHarness) -> None:
        fixture = StoreFixture.of(store_harness)
        for place in range(3):
            fixture.reserve(place)

        prune_everything(fixture.store)

        refused(PendingLimitReached, lambda: fixture.reserve(3))

    def test_pruning_stops_at_its_limit(self, store_harness: StoreHarness) -> None:
        fixture = StoreFixture.of(store_harness)
        booking = fixture.reserve(0)
        for _ in range(5):
            confirm_payment(
                ConfirmPayment(
                    message_id=new_id(fixture.store.reads.now()),
                    booking_id=booking.booking_id,
                    payment_id="pay-1",
                    correlation_id=CORRELATION,
                    amount=booking.total.amount,
                    currency=booking.total.currency,
                ),
                store=fixture.store,
            )
        store_harness.advance(8 * 86_400)

        pruned = [fixture.store.upkeep.prune(idempotency_hours=24, retention_days=7, limit=2).rows for _ in range(4)]

        assert pruned == [2, 2, 1, 0]


class HealthContract:
    """`Upkeep.health`, `migrate` and `connection_use` of a store that is ready."""

    def test_a_ready_store_is_healthy(self, store_harness: StoreHarness) -> None:
        health = store_harness.store.upkeep.health()

        assert health.is_ready
        assert (health.kind, health.problem, health.remedy, str(health)) == (HealthKind.READY, "", "", "")

    def test_migrating_a_current_store_applies_nothing(self, store_harness: StoreHarness) -> None:
        assert list(store_harness.store.upkeep.migrate()) == []
        assert store_harness.store.upkeep.health().is_ready

    def test_the_counters_of_a_pool_never_fall(self, store_harness: StoreHarness) -> None:
        fixture = StoreFixture.of(store_harness)
        before = fixture.store.upkeep.connection_use()
        fixture.reserve(0)
        after = fixture.store.upkeep.connection_use()

        assert (before is None) == (after is None)
        if before is not None and after is not None:
            assert before.most == after.most > 0
            assert after.used_seconds >= before.used_seconds
            assert (after.waits, after.refused) >= (before.waits, before.refused)


class StatisticsContract:
    """`Reads.statistics`."""

    def test_statistics_of_an_empty_store_are_zero(self, store_harness: StoreHarness) -> None:
        found = store_harness.store.reads.statistics()

        assert sum(found.by_status.values()) == 0
        assert (found.overdue, found.outbox, found.unanswered_refunds, found.open_closures) == (0, 0, 0, 0)
        assert found.oldest_overdue_seconds is None
        assert found.oldest_outbox_seconds is None
        assert found.oldest_unanswered_refund_seconds is None
        assert found.oldest_open_closure_seconds is None

    def test_statistics_count_bookings_by_effective_status(self, store_harness: StoreHarness) -> None:
        fixture = StoreFixture.of(store_harness, seats=9)
        fixture.reserve(0, window=10)
        fixture.reserve(1, window=70)
        store_harness.advance(100)
        fixture.start_payment(fixture.reserve(2))
        for place in (3, 4):
            fixture.pay(fixture.reserve(place))
        fixture.reserve(5)

        found = fixture.store.reads.statistics()

        counted = {status: found.by_status.get(status, 0) for status in Status}
        assert counted == {Status.PENDING: 1, Status.PROCESSING: 1, Status.CONFIRMED: 2, Status.CANCELLED: 2}
        assert found.overdue == 2
        assert found.oldest_overdue_seconds is not None
        assert 90 <= found.oldest_overdue_seconds < 150

    def test_backlogs_equal_the_statistics_and_count_the_holds(self, store_harness: StoreHarness) -> None:
        fixture = StoreFixture.of(store_harness, seats=6)
        fixture.reserve(0, window=10)
        store_harness.advance(100)
        fixture.start_payment(fixture.reserve(1))
        fixture.pay(fixture.reserve(2))
        fixture.reserve(3, window=30)

        waits = fixture.store.reads.backlogs()
        all_in_all = fixture.store.reads.statistics()

        assert (waits.holds, waits.ending_soon, waits.overdue) == (2, 1, 1)
        assert (all_in_all.holds, all_in_all.ending_soon, all_in_all.overdue) == (2, 1, 1)
        assert waits.outbox == all_in_all.outbox == len(store_harness.events())
        assert waits.oldest_overdue_seconds is not None
        assert 90 <= waits.oldest_overdue_seconds < 150

    def test_statistics_of_the_outbox(self, store_harness: StoreHarness) -> None:
        fixture = StoreFixture.of(store_harness)
        fixture.reserve(0)
        store_harness.advance(50)
        fixture.reserve(1)
        before = fixture.store.reads.statistics()
        fixture.store.outbox.mark_published(fixture.store.outbox.unpublished(1))
        after = fixture.store.reads.statistics()

        assert (before.outbox, after.outbox) == (2, 1)
        assert before.oldest_outbox_seconds is not None
        assert after.oldest_outbox_seconds is not None
        assert before.oldest_outbox_seconds >= 50
        assert after.oldest_outbox_seconds < 50

    def test_statistics_of_unanswered_refunds(self, store_harness: StoreHarness) -> None:
        fixture = StoreFixture.of(store_harness)
        made = [fixture.reserve(place, user=f"user-{place}") for place in range(4)]
        for booking in made:
            fixture.cancel(booking)
            fixture.pay(booking)
        store_harness.advance(7200)
        fixture.change(made[0].booking_id, answering("pay-1", RefundStatus.COMPLETED))
        fixture.change(made[1].booking_id, answering("pay-1", RefundStatus.FAILED))

        found = fixture.store.reads.statistics()

        assert found.unanswered_refunds == 2
        assert found.oldest_unanswered_refund_seconds is not None
        assert 7200 <= found.oldest_unanswered_refund_seconds < 7260

    def test_statistics_of_open_closures(self, store_harness: StoreHarness) -> None:
        fixtures = [StoreFixture.of(store_harness, seats=1) for _ in range(2)]
        closures = [close(fixture.store, closing(fixture)) for fixture in fixtures]
        assert closures[0] is not None
        finish(fixtures[0], closures[0])
        store_harness.advance(200)

        found = store_harness.store.reads.statistics()

        assert found.open_closures == 1
        assert found.oldest_open_closure_seconds is not None
        assert 200 <= found.oldest_open_closure_seconds < 260
