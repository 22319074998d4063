"""The suite of expiry (BR-02, US-04): ending holds in sets has the effect of `Booking.expire` on each."""

from datetime import datetime

from attrs import evolve

from booking_core.application import expire
from booking_core.contracts.harness import StoreHarness
from booking_core.contracts.store.fixture import ROWS, StoreFixture, content_of, in_parallel
from booking_core.contracts.store.payments import paying
from booking_core.contracts.wire import envelope_of
from booking_core.domain.booking import Booking
from booking_core.domain.lifecycle import Status
from booking_core.domain.values import ActorKind, Cause, SeatStatus
from booking_core.messages import envelopes
from booking_core.ports import ExpiryResult, Store

EXPIRY_JOB = Cause(actor=ActorKind.EXPIRY_JOB, actor_id="expiry", correlation_id="replaced by the booking's own")


def expire_once(store: Store, limit: int = 100) -> ExpiryResult:
    """Run one transaction of expiry."""
    with store.unit_of_work() as uow:
        ended = uow.bookings.expire_overdue(limit)
        uow.commit()
        return ended


class ExpiryContract:
    """`BookingRepository.expire_overdue`."""

    def test_expiry_stores_what_the_aggregate_does(self, store_harness: StoreHarness) -> None:
        fixture = StoreFixture.of(store_harness, seats=8)
        pending = fixture.reserve(0, 1, user="grace", window=1)
        processing = fixture.reserve(2, user="alan", window=1)
        fixture.start_payment(processing)
        mismatched = fixture.reserve(3, user="joan", window=1)
        fixture.change(mismatched.booking_id, paying("pay-7", "1.00"))
        store_harness.advance(400)
        expected = [self._expired_by_hand(fixture, each) for each in (pending, processing, mismatched)]

        assert expire_once(fixture.store) == ExpiryResult(expired=3, seats_released=4)

        for each in expected:
            assert content_of(fixture.stored(each)) == content_of(each)
            self._same_history(fixture, each)
            self._same_events(store_harness, each)

    def test_expiry_lists_seats_in_reading_order(self, store_harness: StoreHarness) -> None:
        fixture = StoreFixture.of(store_harness, seats=len(ROWS)).in_rows(*ROWS)
        made = fixture.reserve(*range(len(ROWS)), window=1)
        store_harness.advance(2)
        expected = self._expired_by_hand(fixture, made)
        expire_once(fixture.store)

        self._same_events(store_harness, expected)

    def test_bookings_in_time_or_ended_are_unchanged(self, store_harness: StoreHarness) -> None:
        fixture = StoreFixture.of(store_harness)
        fixture.reserve(0)
        fixture.pay(fixture.reserve(1, window=60))
        fixture.cancel(fixture.reserve(2, window=60))
        fixture.start_payment(fixture.reserve(3, window=60))
        store_harness.advance(61)
        before = len(store_harness.events())

        assert expire_once(fixture.store) == ExpiryResult(expired=0, seats_released=0)
        assert len(store_harness.events()) == before

    def test_expiry_of_an_empty_store_ends_nothing(self, store_harness: StoreHarness) -> None:
        assert expire_once(store_harness.store) == ExpiryResult(expired=0, seats_released=0)

    def test_expiry_stops_at_its_limit(self, store_harness: StoreHarness) -> None:
        fixture = StoreFixture.of(store_harness)
        for place in range(5):
            fixture.reserve(place, user=f"user-{place}", window=1)
        store_harness.advance(2)

        assert [expire_once(fixture.store, limit=2).expired for _ in range(4)] == [2, 2, 1, 0]

    def test_seats_are_free_and_the_user_may_hold_again(self, store_harness: StoreHarness) -> None:
        fixture = StoreFixture.of(store_harness)
        for place in range(3):
            fixture.reserve(place, window=1)
        store_harness.advance(2)
        expire_once(fixture.store)

        assert {fixture.seat_status(place) for place in range(3)} == {SeatStatus.AVAILABLE}
        for place in range(3):
            fixture.reserve(place)

    def test_a_locked_booking_is_left_for_the_next_pass(self, store_harness: StoreHarness) -> None:
        fixture = StoreFixture.of(store_harness)
        busy, free = fixture.reserve(0, user="grace", window=1), fixture.reserve(1, user="alan", window=1)
        store_harness.advance(2)
        with fixture.store.unit_of_work() as uow:
            uow.bookings.lock(busy.booking_id)

            assert expire_once(fixture.store).expired == 1
            assert expire_once(fixture.store).expired == 0

        assert fixture.stored(free).status is Status.CANCELLED
        assert expire_once(fixture.store).expired == 1

    def test_a_rolled_back_pass_ends_nothing(self, store_harness: StoreHarness) -> None:
        fixture = StoreFixture.of(store_harness)
        made = fixture.reserve(0, window=1)
        store_harness.advance(2)
        with fixture.store.unit_of_work() as uow:
            assert uow.bookings.expire_overdue(10).expired == 1

        assert fixture.stored(made).status is Status.PENDING
        assert [record.event_type for record in store_harness.events()] == ["booking.created"]

    def test_many_passes_at_once_end_each_hold_once(self, store_harness: StoreHarness) -> None:
        fixture = StoreFixture.of(store_harness, seats=30)
        made = [fixture.reserve(place, user=f"user-{place}", window=1) for place in range(30)]
        store_harness.advance(2)

        passes = in_parallel([lambda: expire(store=fixture.store, chunk=4)] * 4)
        left = expire(store=fixture.store)

        assert sum(each.expired for each in passes if isinstance(each, ExpiryResult)) + left.expired == 30
        for booking in made:
            assert [entry.number for entry in fixture.store.reads.history(booking.booking_id)] == [1, 2]

    def _expired_by_hand(self, fixture: StoreFixture, booking: Booking) -> Booking:
        loaded = fixture.stored(booking)
        assert loaded.expire(fixture.store.reads.now(), EXPIRY_JOB)
        return loaded

    def _same_history(self, fixture: StoreFixture, expected: Booking) -> None:
        *_, entry = fixture.store.reads.history(expected.booking_id)
        (wanted,) = expected.new_history
        assert entry.at >= wanted.at
        assert entry == evolve(wanted, at=entry.at, actor_id=entry.actor_id)

    def _same_events(self, harness: StoreHarness, expected: Booking) -> None:
        records = [record for record in harness.events() if record.key == expected.booking_id][-2:]
        for record, wanted in zip(records, expected.new_events, strict=True):
            assert (record.event_type, record.sequence) == (envelopes.event_type_of(wanted), wanted.sequence)
            assert (record.slot, record.correlation_id) == (envelopes.slot_of(wanted), wanted.correlation_id)
            envelope, made = envelope_of(record), envelopes.envelope_of(wanted)
            assert envelope.pop("eventId") == str(record.message_id) != made.pop("eventId")
            assert datetime.fromisoformat(envelope.pop("timestamp")) >= datetime.fromisoformat(made.pop("timestamp"))
            assert envelope == made
        assert len({record.message_id for record in records}) == 2
