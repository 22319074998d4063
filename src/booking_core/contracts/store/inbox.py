"""The suite of the inbox (FR-11): messages that come again, and ids that name two messages."""

from concurrent.futures import ThreadPoolExecutor, wait
from functools import partial
from typing import Any, Final
from uuid import UUID, uuid4

from attrs import evolve

from booking_core.application import answer_refund
from booking_core.contracts.harness import StoreHarness
from booking_core.contracts.store.fixture import CORRELATION, StoreFixture, in_parallel
from booking_core.domain.booking import Booking
from booking_core.domain.commands import AnswerRefund, FailPayment, PaymentCommand, StartPayment
from booking_core.domain.payments import RefundStatus
from booking_core.ports import Receipt, Store

# Shorter than any store's bounded wait for a lock.
_IN_FLIGHT_SECONDS: Final = 0.1


def message(booking: Booking, *, message_id: UUID | None = None, payment_id: str = "pay-1") -> StartPayment:
    """Make a `payment.processing`; its id is a new one unless given."""
    return StartPayment(
        message_id=message_id or uuid4(),
        booking_id=booking.booking_id,
        payment_id=payment_id,
        correlation_id=CORRELATION,
    )


def mark_processed(store: Store, *messages: PaymentCommand) -> list[Receipt]:
    """Mark the messages in a unit of work of their own, under the locks of their bookings."""
    with store.unit_of_work() as uow:
        uow.bookings.lock(*{each.booking_id for each in messages})
        receipts = list(uow.inbox.mark_processed(messages))
        uow.commit()
        return receipts


class InboxContract:
    """`Inbox`: a message is applied once, and its id names no other message."""

    def test_a_message_is_new_once(self, store_harness: StoreHarness) -> None:
        fixture = StoreFixture.of(store_harness)
        booking = fixture.reserve(0)
        first = message(booking)

        assert mark_processed(fixture.store, first) == [Receipt.NEW]
        assert mark_processed(fixture.store, first) == [Receipt.REPEATED]
        assert mark_processed(fixture.store, message(booking)) == [Receipt.NEW]

    def test_a_message_is_new_once_in_one_unit_of_work(self, store_harness: StoreHarness) -> None:
        fixture = StoreFixture.of(store_harness)
        first = message(fixture.reserve(0))
        with fixture.store.unit_of_work() as uow:
            assert list(uow.inbox.mark_processed([first])) == [Receipt.NEW]
            assert list(uow.inbox.mark_processed([first])) == [Receipt.REPEATED]

    def test_several_messages_are_marked_at_once(self, store_harness: StoreHarness) -> None:
        fixture = StoreFixture.of(store_harness)
        first, second = fixture.reserve(0), fixture.reserve(1)
        known, new, other = message(first), message(first), message(second)
        mark_processed(fixture.store, known)

        receipts = mark_processed(fixture.store, other, known, new, new, evolve(new, payment_id="pay-2"))

        assert receipts == [Receipt.NEW, Receipt.REPEATED, Receipt.NEW, Receipt.REPEATED, Receipt.REUSED]
        assert mark_processed(fixture.store) == []

    def test_an_id_that_names_another_message_is_reused(self, store_harness: StoreHarness) -> None:
        # Bookings of two events have nothing in common, not even a partition of the store.
        fixture, elsewhere = StoreFixture.of(store_harness), StoreFixture.of(store_harness)
        first = message(fixture.reserve(0))
        mark_processed(fixture.store, first)
        common: dict[str, Any] = {"message_id": first.message_id, "payment_id": "pay-1", "correlation_id": CORRELATION}
        others: list[PaymentCommand] = [
            message(fixture.reserve(1), message_id=first.message_id),
            message(elsewhere.reserve(0, user="grace"), message_id=first.message_id),
            evolve(first, payment_id="pay-2"),
            FailPayment(**common, booking_id=first.booking_id),
            AnswerRefund(**common, booking_id=first.booking_id, status=RefundStatus.COMPLETED),
            AnswerRefund(**common, booking_id=first.booking_id, status=RefundStatus.FAILED),
        ]

        for other in others:
            assert mark_processed(fixture.store, other) == [Receipt.REUSED], other
        assert mark_processed(fixture.store, *others, first) == [Receipt.REUSED] * 6 + [Receipt.REPEATED]

    def test_one_id_marked_for_many_bookings_at_once_is_new_once(self, store_harness: StoreHarness) -> None:
        fixtures = [StoreFixture.of(store_harness) for _ in range(4)]
        store = fixtures[0].store
        ids = [uuid4() for _ in range(40)]
        # Each job has the same ids in another order: none of them may wait for another in a circle.
        jobs = []
        for turn, fixture in enumerate(fixtures):
            booking = fixture.reserve(0, user=f"user-{turn}")
            wanted = [message(booking, message_id=each) for each in ids[10 * turn :] + ids[: 10 * turn]]
            jobs.append(partial(mark_processed, store, *wanted))

        outcomes = in_parallel(jobs)

        assert all(isinstance(outcome, list) for outcome in outcomes), outcomes
        receipts = [receipt for outcome in outcomes if isinstance(outcome, list) for receipt in outcome]
        assert (receipts.count(Receipt.NEW), receipts.count(Receipt.REUSED)) == (40, 120)

    def test_an_id_in_flight_is_waited_for(self, store_harness: StoreHarness) -> None:
        """Whether it is new depends on what becomes of the unit of work that has marked it."""
        fixture, elsewhere = StoreFixture.of(store_harness), StoreFixture.of(store_harness)
        booking, other = fixture.reserve(0), elsewhere.reserve(0, user="grace")
        for commits in (True, False):
            first = message(booking)
            with ThreadPoolExecutor(1) as pool:
                with fixture.store.unit_of_work() as uow:
                    uow.bookings.lock(booking.booking_id)
                    assert list(uow.inbox.mark_processed([first])) == [Receipt.NEW]
                    second = message(other, message_id=first.message_id)
                    waiting = pool.submit(mark_processed, fixture.store, second)
                    wait([waiting], timeout=_IN_FLIGHT_SECONDS)
                    if commits:
                        uow.commit()
                assert waiting.result() == [Receipt.REUSED if commits else Receipt.NEW]

    def test_a_message_is_new_again_after_a_rollback(self, store_harness: StoreHarness) -> None:
        fixture = StoreFixture.of(store_harness)
        first, other = message(fixture.reserve(0)), fixture.reserve(1)
        with fixture.store.unit_of_work() as uow:
            assert list(uow.inbox.mark_processed([first])) == [Receipt.NEW]

        assert mark_processed(fixture.store, message(other, message_id=first.message_id)) == [Receipt.NEW]
        assert mark_processed(fixture.store, first) == [Receipt.REUSED]

    def test_old_messages_are_pruned_and_young_ones_kept(self, store_harness: StoreHarness) -> None:
        fixture = StoreFixture.of(store_harness)
        booking = fixture.reserve(0)
        old, young = message(booking), message(booking)
        mark_processed(fixture.store, old)
        store_harness.advance(3 * 86400)
        mark_processed(fixture.store, young)

        fixture.store.upkeep.prune(idempotency_hours=24, retention_days=2, limit=100)

        assert mark_processed(fixture.store, young) == [Receipt.REPEATED]
        assert mark_processed(fixture.store, old) == [Receipt.NEW]

    def test_ids_reused_and_messages_retained_are_not_pruned(self, store_harness: StoreHarness) -> None:
        fixture = StoreFixture.of(store_harness)
        booking = fixture.reserve(0)
        reused, retained, other = message(booking), message(booking), message(booking)
        mark_processed(fixture.store, reused, other)
        assert mark_processed(fixture.store, evolve(reused, payment_id="pay-2")) == [Receipt.REUSED]
        with fixture.store.unit_of_work() as uow:
            uow.inbox.mark_processed([retained])
            uow.inbox.retain([retained])
            uow.inbox.retain([])
            uow.commit()
        store_harness.advance(400 * 86400)

        fixture.store.upkeep.prune(idempotency_hours=24, retention_days=2, limit=100)

        receipts = mark_processed(fixture.store, reused, evolve(reused, payment_id="pay-2"), retained, other)
        assert receipts == [Receipt.REPEATED, Receipt.REUSED, Receipt.REPEATED, Receipt.NEW]

    def test_an_early_answer_to_a_refund_never_answers_it_later(self, store_harness: StoreHarness) -> None:
        """After pruning, too: a group that lost its offsets reads the topic from its start."""
        fixture = StoreFixture.of(store_harness)
        booking = fixture.reserve(0)
        early = AnswerRefund(
            message_id=uuid4(),
            booking_id=booking.booking_id,
            payment_id="pay-1",
            correlation_id=CORRELATION,
            status=RefundStatus.COMPLETED,
        )
        fixture.pay(booking)
        assert not answer_refund(early, store=fixture.store)
        fixture.cancel(booking)
        store_harness.advance(400 * 86400)
        fixture.store.upkeep.prune(idempotency_hours=24, retention_days=2, limit=100)

        assert not answer_refund(early, store=fixture.store)

        assert fixture.stored(booking).payments["pay-1"].refund_status is RefundStatus.REQUESTED
        assert answer_refund(evolve(early, message_id=uuid4()), store=fixture.store)
