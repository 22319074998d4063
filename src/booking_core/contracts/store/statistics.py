"""What an operator watches."""

from booking_core.contracts.harness import StoreHarness
from booking_core.contracts.store.closures import close, closing, finish
from booking_core.contracts.store.fixture import StoreFixture
from booking_core.contracts.store.payments import answering
from booking_core.domain.lifecycle import Status
from booking_core.domain.payments import RefundStatus


class StatisticsContract:
    """`Reads.statistics`."""

    def test_an_empty_store(self, store_harness: StoreHarness) -> None:
        found = store_harness.store.reads.statistics()

        assert sum(found.by_status.values()) == 0
        assert (found.overdue, found.outbox, found.unanswered_refunds, found.open_closures) == (0, 0, 0, 0)
        assert found.oldest_overdue_seconds is None
        assert found.oldest_outbox_seconds is None
        assert found.oldest_unanswered_refund_seconds is None
        assert found.oldest_open_closure_seconds is None

    def test_bookings_count_by_effective_status(self, store_harness: StoreHarness) -> None:
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

    def test_backlogs_are_the_same_figures_and_count_the_holds(self, store_harness: StoreHarness) -> None:
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

    def test_the_outbox(self, store_harness: StoreHarness) -> None:
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

    def test_refunds_without_an_answer(self, store_harness: StoreHarness) -> None:
        fixture = StoreFixture.of(store_harness)
        made = [fixture.reserve(place) for place in range(3)]
        for booking in made:
            fixture.cancel(booking)
            fixture.pay(booking)
        store_harness.advance(7200)
        fixture.change(made[0].booking_id, answering("pay-1", RefundStatus.COMPLETED))
        fixture.change(made[1].booking_id, answering("pay-1", RefundStatus.FAILED))

        found = fixture.store.reads.statistics()

        assert found.unanswered_refunds == 1
        assert found.oldest_unanswered_refund_seconds is not None
        assert 7200 <= found.oldest_unanswered_refund_seconds < 7260

    def test_closures_that_are_not_finished(self, store_harness: StoreHarness) -> None:
        sceneries = [StoreFixture.of(store_harness, seats=1) for _ in range(2)]
        closures = [close(fixture.store, closing(fixture)) for fixture in sceneries]
        assert closures[0] is not None
        finish(sceneries[0], closures[0])
        store_harness.advance(200)

        found = store_harness.store.reads.statistics()

        assert found.open_closures == 1
        assert found.oldest_open_closure_seconds is not None
        assert 200 <= found.oldest_open_closure_seconds < 260
