"""Pruning takes what has served its time, a little at a time, and never what happened to a booking."""

from booking_core.application import confirm_payment, expire
from booking_core.contracts.harness import StoreHarness
from booking_core.contracts.store.fixture import CORRELATION, StoreFixture, content_of, refused
from booking_core.domain.commands import ConfirmPayment
from booking_core.domain.errors import PendingLimitReached
from booking_core.domain.identity import new_id
from booking_core.ports import Store


def prune_everything(store: Store) -> int:
    """Whatever may be removed at all; how many rows it was."""
    removed = 0
    while step := store.upkeep.prune(idempotency_hours=0, retention_days=0, limit=100).total:
        removed += step
    return removed


class PruningContract:
    """`Upkeep.prune`."""

    def test_bookings_and_their_history_are_kept(self, store_harness: StoreHarness) -> None:
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

    def test_events_that_wait_are_kept_however_old(self, store_harness: StoreHarness) -> None:
        fixture = StoreFixture.of(store_harness)
        fixture.reserve(0)
        store_harness.advance(400 * 86_400)

        prune_everything(fixture.store)

        assert [record.event_type for record in fixture.store.outbox.unpublished(10)] == ["booking.created"]

    def test_holds_that_count_are_kept(self, store_harness: StoreHarness) -> None:
        fixture = StoreFixture.of(store_harness)
        for place in range(3):
            fixture.reserve(place)

        prune_everything(fixture.store)

        refused(PendingLimitReached, lambda: fixture.reserve(3))

    def test_it_is_bounded(self, store_harness: StoreHarness) -> None:
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
