"""What was handed out or taken in belongs to the caller: changing it changes nothing that is stored."""

from decimal import Decimal

from booking_core.contracts.harness import StoreHarness
from booking_core.contracts.store.fixture import StoreFixture, content_of
from booking_core.contracts.store.payments import paying
from booking_core.contracts.store.reservations import facts_of
from booking_core.domain.booking import Booking
from booking_core.domain.lifecycle import Status
from booking_core.domain.values import RefundReason
from booking_core.ports import Page


def vandalise(booking: Booking) -> None:
    """Change whatever can be changed."""
    booking.status = Status.CANCELLED
    booking.user_id = "mallory"
    booking.revision += 7
    booking.seats = ()
    for payment in booking.payments.values():
        payment.amount, payment.refund_reason = Decimal("0.01"), RefundReason.LATE_PAYMENT
    booking.payments["pay-9"] = next(iter(booking.payments.values()))
    booking.new_events.clear()
    booking.new_history.clear()


class AliasingContract:
    """No live objects, neither in nor out."""

    def test_from_a_lock(self, store_harness: StoreHarness) -> None:
        fixture, before = self._paid(store_harness)
        with fixture.store.unit_of_work() as uow:
            locked = uow.bookings.lock(before.booking_id)[before.booking_id]
            vandalise(locked.booking)
            uow.commit()

        self._is_untouched(fixture, before)

    def test_from_the_queries(self, store_harness: StoreHarness) -> None:
        fixture, before = self._paid(store_harness)
        snapshot = fixture.store.reads.booking(before.booking_id)
        assert snapshot is not None
        vandalise(snapshot.booking)
        vandalise(fixture.store.reads.bookings_of("ada", None, Page()).items[0])

        self._is_untouched(fixture, before)

    def test_from_locking_the_bookings_of_an_event(self, store_harness: StoreHarness) -> None:
        fixture, before = self._paid(store_harness)
        with fixture.store.unit_of_work() as uow:
            vandalise(uow.bookings.lock_live(fixture.event.event_id, 1)[0].booking)
            uow.commit()

        self._is_untouched(fixture, before)

    def test_from_a_scene(self, store_harness: StoreHarness) -> None:
        fixture = StoreFixture.of(store_harness)
        late = fixture.reserve(0, window=1)
        fixture.change(late.booking_id, paying("pay-1", "1.00"))
        store_harness.advance(2)
        before = fixture.stored(late)
        vandalise(facts_of(fixture.store, fixture.request(0, user="grace")).overdue[0])

        self._is_untouched(fixture, before)

    def test_what_was_saved_is_the_callers_again_after_the_commit(self, store_harness: StoreHarness) -> None:
        fixture = StoreFixture.of(store_harness)
        saved = fixture.change(fixture.reserve(0).booking_id, paying("pay-1"))
        before = fixture.stored(saved)
        assert content_of(before) == content_of(saved)
        vandalise(saved)

        self._is_untouched(fixture, before)

    def test_what_was_added_is_the_callers_again_after_the_commit(self, store_harness: StoreHarness) -> None:
        fixture = StoreFixture.of(store_harness)
        added = fixture.reserve(0)
        before = fixture.stored(added)
        added.status, added.seats, added.user_id = Status.CONFIRMED, (), "mallory"
        added.new_history.clear()

        self._is_untouched(fixture, before)

    def test_two_readers_share_nothing(self, store_harness: StoreHarness) -> None:
        fixture, before = self._paid(store_harness)
        first, second = fixture.stored(before), fixture.stored(before)
        vandalise(first)

        assert content_of(second) == content_of(before)

    def _paid(self, harness: StoreHarness) -> tuple[StoreFixture, Booking]:
        fixture = StoreFixture.of(harness)
        made = fixture.reserve(0, 1)
        fixture.pay(made)
        return fixture, fixture.stored(made)

    def _is_untouched(self, fixture: StoreFixture, before: Booking) -> None:
        after = fixture.stored(before)
        assert content_of(after) == content_of(before)
        assert len(fixture.store.reads.history(before.booking_id)) == after.revision
