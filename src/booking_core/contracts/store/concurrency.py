"""The suites of concurrency: racing callers, and bookings that are copies of what is stored."""

from collections.abc import Callable
from decimal import Decimal
from functools import partial

from booking_core.application import cancel_event
from booking_core.contracts.harness import StoreHarness
from booking_core.contracts.store.fixture import CORRELATION, StoreFixture, content_of, in_parallel
from booking_core.contracts.store.payments import failing, paying
from booking_core.contracts.store.reservations import facts_of
from booking_core.domain.booking import Booking
from booking_core.domain.commands import CancelEvent
from booking_core.domain.errors import BookingError, EventNotOnSale, PendingLimitReached, SeatAlreadyReserved
from booking_core.domain.lifecycle import Status
from booking_core.domain.values import CancellationReason, RefundReason
from booking_core.ports import Page

ROUNDS = 10


class ConcurrencyContract:
    """BR-01, BR-03 and FR-11 while threads race."""

    def test_a_seat_is_reserved_by_one_of_many_customers(self, store_harness: StoreHarness) -> None:
        fixture = StoreFixture.of(store_harness, seats=3)
        for place in range(3):
            jobs = [partial(fixture.reserve, place, user=f"user-{place}-{n}") for n in range(12)]

            outcomes = in_parallel(jobs)

            (winner,) = [outcome for outcome in outcomes if isinstance(outcome, Booking)]
            losers = [outcome for outcome in outcomes if outcome is not winner]
            assert all(self._names(error, fixture, place) for error in losers), losers

    def test_a_customer_gets_three_of_many_parallel_holds(self, store_harness: StoreHarness) -> None:
        fixture = StoreFixture.of(store_harness, seats=12)

        outcomes = in_parallel([partial(fixture.reserve, place) for place in range(12)])

        made = [outcome for outcome in outcomes if isinstance(outcome, Booking)]
        errors = [outcome for outcome in outcomes if not isinstance(outcome, Booking)]
        assert len(made) == 3
        assert all(isinstance(error, PendingLimitReached) for error in errors), errors
        assert fixture.store.reads.bookings_of("ada", Status.PENDING, Page()).total == 3

    def test_two_customers_request_the_same_two_seats(self, store_harness: StoreHarness) -> None:
        fixture = StoreFixture.of(store_harness, seats=2 * ROUNDS)
        for first in range(0, 2 * ROUNDS, 2):
            outcomes = in_parallel(
                [
                    partial(fixture.reserve, first, first + 1, user=f"ada-{first}"),
                    partial(fixture.reserve, first + 1, first, user=f"grace-{first}"),
                ]
            )

            kinds = sorted(type(outcome).__name__ for outcome in outcomes)
            assert kinds == ["Booking", "SeatAlreadyReserved"]

    def test_two_customers_take_each_others_overdue_seats(self, store_harness: StoreHarness) -> None:
        for _ in range(ROUNDS):
            fixture = StoreFixture.of(store_harness, seats=2)
            late = [fixture.reserve(0, user="ada", window=1), fixture.reserve(1, user="grace", window=1)]
            store_harness.advance(2)

            made = in_parallel([partial(fixture.reserve, 1, user="ada"), partial(fixture.reserve, 0, user="grace")])

            assert all(isinstance(outcome, Booking) for outcome in made), made
            for before in late:
                settled = fixture.stored(before)
                assert (settled.cancellation_reason, settled.revision) == (CancellationReason.EXPIRED, 2)
            for booking in made:
                assert isinstance(booking, Booking)
                fixture.cancel(booking)

    def test_a_payment_delivered_many_times_is_taken_once(self, store_harness: StoreHarness) -> None:
        fixture = StoreFixture.of(store_harness)
        made = fixture.reserve(0)

        changed = in_parallel([partial(fixture.pay, made)] * 8)

        assert sorted(changed, key=bool) == [False] * 7 + [True]
        types = [record.event_type for record in store_harness.events()]
        assert types == ["booking.created", "booking.confirmed"]

    def test_parallel_changes_of_one_booking_are_serialised(self, store_harness: StoreHarness) -> None:
        fixture = StoreFixture.of(store_harness)
        made = fixture.reserve(0)
        verbs = [paying(f"pay-{n}") for n in range(6)] + [failing("pay-6"), failing("pay-7")]

        in_parallel([partial(fixture.change, made.booking_id, verb) for verb in verbs])

        after = fixture.stored(made)
        history = fixture.store.reads.history(made.booking_id)
        assert [entry.number for entry in history] == list(range(1, after.revision + 1))
        assert [record.sequence for record in store_harness.events()] == list(range(1, after.sequence + 1))
        taken = [payment for payment in after.payments.values() if payment.is_taken]
        kept = [payment for payment in taken if payment.refund_reason is None]
        assert len(taken) == 6
        assert len(kept) == (1 if after.status is Status.CONFIRMED else 0)

    def test_no_booking_survives_the_cancellation_of_its_event(self, store_harness: StoreHarness) -> None:
        fixture = StoreFixture.of(store_harness, seats=12)
        early = [fixture.reserve(place, user=f"early-{place}") for place in range(2)]
        command = CancelEvent(
            event_id=fixture.event.event_id, reason="rain", administrator="admin", correlation_id=CORRELATION
        )

        def cancelling() -> None:
            cancel_event(command, store=fixture.store)

        reserving = [partial(fixture.reserve, place, user=f"user-{place}") for place in range(2, 12)]
        jobs: list[Callable[[], Booking | None]] = [*reserving, cancelling]

        *outcomes, _ = in_parallel(jobs)

        made = [*early, *(outcome for outcome in outcomes if isinstance(outcome, Booking))]
        errors = [outcome for outcome in outcomes if isinstance(outcome, BookingError)]
        assert all(isinstance(error, EventNotOnSale) for error in errors), errors
        assert len(made) + len(errors) == 12
        for booking in made:
            assert fixture.stored(booking).cancellation_reason is CancellationReason.EVENT_CANCELLED
        assert fixture.store.reads.cancellation_preview(fixture.event.event_id).bookings == 0
        assert store_harness.events()[-1].event_type == "event.cancelled" or len(made) < 12

    def _names(self, error: Booking | BookingError, fixture: StoreFixture, place: int) -> bool:
        wanted = {"unavailableSeatIds": [str(fixture.seats[place].seat_id)]}
        return isinstance(error, SeatAlreadyReserved) and error.details == wanted


def overwrite_everything(booking: Booking) -> None:
    """Overwrite every attribute of the booking that can be changed."""
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
    """Stored bookings share no object with those of callers."""

    def test_a_locked_booking_is_a_copy(self, store_harness: StoreHarness) -> None:
        fixture, before = self._paid(store_harness)
        with fixture.store.unit_of_work() as uow:
            locked = uow.bookings.lock(before.booking_id)[before.booking_id]
            overwrite_everything(locked.booking)
            uow.commit()

        self._is_untouched(fixture, before)

    def test_bookings_that_were_read_are_copies(self, store_harness: StoreHarness) -> None:
        fixture, before = self._paid(store_harness)
        snapshot = fixture.store.reads.booking(before.booking_id)
        assert snapshot is not None
        overwrite_everything(snapshot.booking)
        overwrite_everything(fixture.store.reads.bookings_of("ada", None, Page()).items[0])

        self._is_untouched(fixture, before)

    def test_live_bookings_of_an_event_are_copies(self, store_harness: StoreHarness) -> None:
        fixture, before = self._paid(store_harness)
        with fixture.store.unit_of_work() as uow:
            overwrite_everything(uow.bookings.lock_live(fixture.event.event_id, 1)[0].booking)
            uow.commit()

        self._is_untouched(fixture, before)

    def test_bookings_in_reservation_facts_are_copies(self, store_harness: StoreHarness) -> None:
        fixture = StoreFixture.of(store_harness)
        late = fixture.reserve(0, window=1)
        fixture.change(late.booking_id, paying("pay-1", "1.00"))
        store_harness.advance(2)
        before = fixture.stored(late)
        overwrite_everything(facts_of(fixture.store, fixture.request(0, user="grace")).overdue[0])

        self._is_untouched(fixture, before)

    def test_a_saved_booking_is_the_callers_after_the_commit(self, store_harness: StoreHarness) -> None:
        fixture = StoreFixture.of(store_harness)
        saved = fixture.change(fixture.reserve(0).booking_id, paying("pay-1"))
        before = fixture.stored(saved)
        assert content_of(before) == content_of(saved)
        overwrite_everything(saved)

        self._is_untouched(fixture, before)

    def test_an_added_booking_is_the_callers_after_the_commit(self, store_harness: StoreHarness) -> None:
        fixture = StoreFixture.of(store_harness)
        added = fixture.reserve(0)
        before = fixture.stored(added)
        added.status, added.seats, added.user_id = Status.CONFIRMED, (), "mallory"
        added.new_history.clear()

        self._is_untouched(fixture, before)

    def test_two_readers_get_separate_copies(self, store_harness: StoreHarness) -> None:
        fixture, before = self._paid(store_harness)
        first, second = fixture.stored(before), fixture.stored(before)
        overwrite_everything(first)

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
