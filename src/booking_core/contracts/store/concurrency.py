"""Many at once: one winner per seat, three holds per customer, no deadlock, nothing applied twice."""

from collections.abc import Callable
from functools import partial

from booking_core.application import cancel_event
from booking_core.contracts.harness import StoreHarness
from booking_core.contracts.store.crowd import at_once
from booking_core.contracts.store.fixture import CORRELATION, StoreFixture
from booking_core.contracts.store.payments import failing, paying
from booking_core.domain.booking import Booking
from booking_core.domain.commands import CancelEvent
from booking_core.domain.errors import BookingError, EventNotOnSale, PendingLimitReached, SeatAlreadyReserved
from booking_core.domain.lifecycle import Status
from booking_core.domain.values import CancellationReason
from booking_core.ports import Page

ROUNDS = 10


class ConcurrencyContract:
    """The promises of BR-01, BR-03 and FR-11 while threads race."""

    def test_one_seat_has_one_winner(self, store_harness: StoreHarness) -> None:
        fixture = StoreFixture.of(store_harness, seats=3)
        for place in range(3):
            jobs = [partial(fixture.reserve, place, user=f"user-{place}-{n}") for n in range(12)]

            outcomes = at_once(jobs)

            (winner,) = [outcome for outcome in outcomes if isinstance(outcome, Booking)]
            losers = [outcome for outcome in outcomes if outcome is not winner]
            assert all(self._names(error, fixture, place) for error in losers), losers

    def test_a_customer_gets_three_holds(self, store_harness: StoreHarness) -> None:
        fixture = StoreFixture.of(store_harness, seats=12)

        outcomes = at_once([partial(fixture.reserve, place) for place in range(12)])

        made = [outcome for outcome in outcomes if isinstance(outcome, Booking)]
        errors = [outcome for outcome in outcomes if not isinstance(outcome, Booking)]
        assert len(made) == 3
        assert all(isinstance(error, PendingLimitReached) for error in errors), errors
        assert fixture.store.reads.bookings_of("ada", Status.PENDING, Page()).total == 3

    def test_two_customers_want_the_same_two_seats(self, store_harness: StoreHarness) -> None:
        fixture = StoreFixture.of(store_harness, seats=2 * ROUNDS)
        for first in range(0, 2 * ROUNDS, 2):
            outcomes = at_once(
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

            made = at_once([partial(fixture.reserve, 1, user="ada"), partial(fixture.reserve, 0, user="grace")])

            assert all(isinstance(outcome, Booking) for outcome in made), made
            for before in late:
                settled = fixture.stored(before)
                assert (settled.cancellation_reason, settled.revision) == (CancellationReason.EXPIRED, 2)
            for booking in made:
                assert isinstance(booking, Booking)
                fixture.cancel(booking)

    def test_a_payment_told_many_times_is_taken_once(self, store_harness: StoreHarness) -> None:
        fixture = StoreFixture.of(store_harness)
        made = fixture.reserve(0)

        changed = at_once([partial(fixture.pay, made)] * 8)

        assert sorted(changed, key=bool) == [False] * 7 + [True]
        types = [record.event_type for record in store_harness.events()]
        assert types == ["booking.created", "booking.confirmed"]

    def test_changes_of_one_booking_come_one_after_the_other(self, store_harness: StoreHarness) -> None:
        fixture = StoreFixture.of(store_harness)
        made = fixture.reserve(0)
        verbs = [paying(f"pay-{n}") for n in range(6)] + [failing("pay-6"), failing("pay-7")]

        at_once([partial(fixture.change, made.booking_id, verb) for verb in verbs])

        after = fixture.stored(made)
        history = fixture.store.reads.history(made.booking_id)
        assert [entry.number for entry in history] == list(range(1, after.revision + 1))
        assert [record.sequence for record in store_harness.events()] == list(range(1, after.sequence + 1))
        taken = [payment for payment in after.payments.values() if payment.is_taken]
        kept = [payment for payment in taken if payment.refund_reason is None]
        assert len(taken) == 6
        assert len(kept) == (1 if after.status is Status.CONFIRMED else 0)

    def test_no_booking_survives_the_cancelling_of_its_event(self, store_harness: StoreHarness) -> None:
        fixture = StoreFixture.of(store_harness, seats=12)
        early = [fixture.reserve(place, user=f"early-{place}") for place in range(2)]
        command = CancelEvent(
            event_id=fixture.event.event_id, reason="rain", administrator="admin", correlation_id=CORRELATION
        )

        def cancelling() -> None:
            cancel_event(command, store=fixture.store)

        reserving = [partial(fixture.reserve, place, user=f"user-{place}") for place in range(2, 12)]
        jobs: list[Callable[[], Booking | None]] = [*reserving, cancelling]

        *outcomes, _ = at_once(jobs)

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
