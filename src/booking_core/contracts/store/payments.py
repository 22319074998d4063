"""The suite of changes: every verb of the aggregate, saved and loaded again without loss."""

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal

from booking_core.contracts.harness import StoreHarness
from booking_core.contracts.store.fixture import CAUSE, StoreFixture, content_of, refused
from booking_core.contracts.wire import payload_of
from booking_core.domain.booking import Booking
from booking_core.domain.errors import PaymentInProgress
from booking_core.domain.lifecycle import Status
from booking_core.domain.payments import RefundStatus
from booking_core.domain.values import CancellationReason, Money, RefundReason, SeatStatus, Terms
from booking_core.messages import envelopes
from booking_core.ports import LockedBooking

Verb = Callable[[LockedBooking], object]


def paying(payment_id: str, amount: str = "75.00", currency: str = "USD") -> Verb:
    """Make the verb of a `payment.success` with any amount."""
    paid = Money(amount=Decimal(amount), currency=currency)
    return lambda locked: locked.booking.confirm(payment_id, paid, locked.now, CAUSE)


def starting(payment_id: str) -> Verb:
    """Make the verb of a `payment.processing`."""
    return lambda locked: locked.booking.start_payment(payment_id, locked.now, Terms(), CAUSE)


def failing(payment_id: str) -> Verb:
    """Make the verb of a `payment.failed`."""
    return lambda locked: locked.booking.fail_payment(payment_id, "card declined", locked.now, CAUSE)


def answering(payment_id: str, status: RefundStatus) -> Verb:
    """Make the verb of a `refund.completed` or `refund.failed`."""
    return lambda locked: locked.booking.answer_refund(payment_id, status, "", locked.now, CAUSE)


class PaymentsContract:
    """`BookingRepository.lock` and `save`."""

    def test_locking_an_unknown_booking_returns_none(self, store_harness: StoreHarness) -> None:
        fixture = StoreFixture.of(store_harness)

        with fixture.store.unit_of_work() as uow:
            assert uow.bookings.lock(fixture.new_booking(0).booking_id) == {}

    def test_a_locked_booking_has_the_clock_and_the_events_start(self, store_harness: StoreHarness) -> None:
        fixture = StoreFixture.of(store_harness)
        made = fixture.reserve(0)
        before = fixture.store.reads.now()

        with fixture.store.unit_of_work() as uow:
            locked = uow.bookings.lock(made.booking_id)[made.booking_id]

        assert locked is not None
        assert before <= locked.now <= fixture.store.reads.now()
        assert locked.event_starts_at == fixture.event.starts_at
        assert (locked.booking.new_events, locked.booking.new_history) == ([], [])
        assert locked.booking.loaded_revision == made.revision == 1

    def test_locking_several_bookings_leaves_out_unknown_ones(self, store_harness: StoreHarness) -> None:
        fixture = StoreFixture.of(store_harness)
        first, second, other = (fixture.reserve(number) for number in range(3))
        unknown = fixture.new_booking(3).booking_id
        fixture.change(second.booking_id, paying("pay-1"))

        with fixture.store.unit_of_work() as uow:
            locked = uow.bookings.lock(second.booking_id, unknown, first.booking_id, second.booking_id)
            assert uow.bookings.lock() == {}

        assert set(locked) == {first.booking_id, second.booking_id}
        assert content_of(locked[first.booking_id].booking) == content_of(first)
        assert locked[second.booking_id].booking.status is Status.CONFIRMED
        assert all(each.event_starts_at == fixture.event.starts_at for each in locked.values())
        assert other.booking_id not in locked

    def test_bookings_locked_together_can_all_be_saved(self, store_harness: StoreHarness) -> None:
        fixture = StoreFixture.of(store_harness)
        made = [fixture.reserve(number).booking_id for number in range(3)]

        with fixture.store.unit_of_work() as uow:
            locked = uow.bookings.lock(*made)
            for number, verb in enumerate((paying("pay-1"), failing("pay-1"), starting("pay-1"))):
                verb(locked[made[number]])
                uow.bookings.save(locked[made[number]].booking)
            uow.commit()

        stored = [fixture.store.reads.booking(each) for each in made]
        assert [each.booking.status for each in stored if each] == [
            Status.CONFIRMED,
            Status.CANCELLED,
            Status.PROCESSING,
        ]

    def test_a_payment_in_progress_is_stored(self, store_harness: StoreHarness) -> None:
        fixture = StoreFixture.of(store_harness)

        changed = self._made_of(fixture, starting("pay-1"))

        assert changed.status is Status.PROCESSING
        assert changed.processing_started_at is not None
        assert changed.deadline == max(changed.expires_at, changed.processing_started_at + timedelta(minutes=5))
        assert fixture.seat_status(0) is SeatStatus.HELD
        assert refused(PaymentInProgress, lambda: fixture.cancel(changed)).code == "PAYMENT_IN_PROGRESS"

    def test_a_confirmed_booking_is_stored(self, store_harness: StoreHarness) -> None:
        fixture = StoreFixture.of(store_harness)

        changed = self._made_of(fixture, starting("pay-1"), paying("pay-1"))

        assert (changed.status, changed.confirmed_by, changed.deadline) == (Status.CONFIRMED, "pay-1", None)
        assert fixture.seat_status(0) is SeatStatus.SOLD
        record = store_harness.events()[-1]
        assert (record.event_type, record.sequence) == ("booking.confirmed", 2)
        assert payload_of(record) == envelopes.payload_of(changed.new_events[0])

    def test_a_failed_payment_is_stored(self, store_harness: StoreHarness) -> None:
        fixture = StoreFixture.of(store_harness)

        changed = self._made_of(fixture, failing("pay-1"))

        assert changed.cancellation_reason is CancellationReason.PAYMENT_FAILED
        assert fixture.seat_status(0) is SeatStatus.AVAILABLE
        assert fixture.store.reads.history(changed.booking_id)[-1].note == "card declined"
        assert payload_of(store_harness.events()[-1]) == envelopes.payload_of(changed.new_events[0])

    def test_a_payment_after_the_end_is_stored_with_a_refund(self, store_harness: StoreHarness) -> None:
        fixture = StoreFixture.of(store_harness)

        changed = self._made_of(fixture, failing("pay-1"), paying("pay-1"), paying("pay-2", "12.34", "EUR"))

        assert {key: payment.refund_reason for key, payment in changed.payments.items()} == {
            "pay-1": RefundReason.LATE_PAYMENT,
            "pay-2": RefundReason.LATE_PAYMENT,
        }
        last = payload_of(store_harness.events()[-1])
        assert (last["paymentId"], last["amount"], last["currency"]) == ("pay-2", Decimal("12.34"), "EUR")
        assert store_harness.events()[-1].event_type == "booking.refund_requested"

    def test_several_payments_of_one_booking_are_stored(self, store_harness: StoreHarness) -> None:
        fixture = StoreFixture.of(store_harness)

        changed = self._made_of(fixture, starting("pay-1"), paying("pay-2", "1.00"), paying("pay-1"), paying("pay-3"))

        assert {key: payment.refund_reason for key, payment in changed.payments.items()} == {
            "pay-1": None,
            "pay-2": RefundReason.AMOUNT_MISMATCH,
            "pay-3": RefundReason.DUPLICATE_PAYMENT,
        }

    def test_an_amount_that_no_currency_has_is_stored_as_sent(self, store_harness: StoreHarness) -> None:
        fixture = StoreFixture.of(store_harness)
        sent = {"pay-1": "0.004", "pay-2": f"150.005{'0' * 70}1", "pay-3": "999999999999999999.99"}

        changed = self._made_of(fixture, *(paying(payment_id, amount) for payment_id, amount in sent.items()))

        assert {key: payment.amount for key, payment in changed.payments.items()} == {
            payment_id: Decimal(amount) for payment_id, amount in sent.items()
        }
        refunds = [payload_of(each)["amount"] for each in store_harness.events()[1:]]
        assert refunds == [Decimal("150.01"), Decimal("999999999999999999.99")]
        assert fixture.store.reads.statistics().oldest_unanswered_refund_seconds is not None

    def test_the_preview_counts_no_refund_of_nothing(self, store_harness: StoreHarness) -> None:
        fixture = StoreFixture.of(store_harness)

        self._made_of(fixture, paying("pay-1", "0.004"), paying("pay-2", "0", "EUR"), paying("pay-3"))

        preview = fixture.store.reads.cancellation_preview(fixture.event.event_id)
        assert dict(preview.refunds) == {"USD": (Decimal("75.00"), 1)}

    def test_the_outcome_of_a_refund_is_stored(self, store_harness: StoreHarness) -> None:
        fixture = StoreFixture.of(store_harness)

        failed = self._made_of(fixture, failing("pay-1"), paying("pay-1"), answering("pay-1", RefundStatus.FAILED))
        completed = self._then(fixture, failed, answering("pay-1", RefundStatus.COMPLETED))

        assert failed.payments["pay-1"].refund_status is RefundStatus.FAILED
        assert completed.payments["pay-1"].refund_status is RefundStatus.COMPLETED
        assert completed.payments["pay-1"].refund_answered_at is not None

    def test_the_cancellation_of_a_paid_booking_is_stored(self, store_harness: StoreHarness) -> None:
        fixture = StoreFixture.of(store_harness)

        def cancelling(locked: LockedBooking) -> None:
            locked.booking.cancel(locked.now, fixture.event.starts_at, CAUSE)

        changed = self._made_of(fixture, paying("pay-1"), cancelling)

        assert changed.cancellation_reason is CancellationReason.USER_CANCELLED
        assert changed.payments["pay-1"].refund_reason is RefundReason.USER_CANCELLED
        records = store_harness.events()
        assert [record.sequence for record in records] == [1, 2, 3, 4]
        assert [record.event_type for record in records[2:]] == ["booking.cancelled", "booking.refund_requested"]
        assert fixture.seat_status(0) is SeatStatus.AVAILABLE

    def test_two_changes_in_one_save_are_stored(self, store_harness: StoreHarness) -> None:
        fixture = StoreFixture.of(store_harness)

        def both(locked: LockedBooking) -> None:
            starting("pay-1")(locked)
            paying("pay-1")(locked)

        changed = self._made_of(fixture, both)

        assert (changed.status, changed.revision) == (Status.CONFIRMED, 3)

    def test_saving_an_unchanged_booking_writes_nothing(self, store_harness: StoreHarness) -> None:
        fixture = StoreFixture.of(store_harness)
        made = self._made_of(fixture, paying("pay-1"))
        before = len(store_harness.events())

        again = fixture.change(made.booking_id, paying("pay-1"))

        assert content_of(again) == content_of(made) == content_of(fixture.stored(made))
        assert len(fixture.store.reads.history(made.booking_id)) == 2
        assert len(store_harness.events()) == before

    def test_every_change_has_an_entry_in_the_history(self, store_harness: StoreHarness) -> None:
        fixture = StoreFixture.of(store_harness)
        made = fixture.reserve(0)
        written = list(made.new_history)
        for verb in (starting("pay-1"), paying("pay-2", "1"), failing("pay-1"), paying("pay-1")):
            written += fixture.change(made.booking_id, verb).new_history

        assert list(fixture.store.reads.history(made.booking_id)) == written
        assert [entry.number for entry in written] == [1, 2, 3, 4, 5]

    def _made_of(self, fixture: StoreFixture, *verbs: Verb) -> Booking:
        """Reserve the first seat and apply these verbs, each in a unit of work of its own."""
        booking = fixture.reserve(0)
        for verb in verbs:
            booking = self._then(fixture, booking, verb)
        return booking

    def _then(self, fixture: StoreFixture, booking: Booking, verb: Verb) -> Booking:
        changed = fixture.change(booking.booking_id, verb)
        assert content_of(fixture.stored(changed)) == content_of(changed)
        return changed
