"""The suite of reserving: the facts from `lock_seats`, and the content of a stored reservation."""

from datetime import timedelta
from decimal import Decimal
from uuid import uuid4

from attrs import evolve

from booking_core.contracts.harness import StoreHarness
from booking_core.contracts.store.fixture import CAUSE, CORRELATION, StoreFixture, content_of, lock_seats
from booking_core.contracts.wire import payload_of
from booking_core.domain.booking import Booking
from booking_core.domain.identity import slot_of_event
from booking_core.domain.lifecycle import Status, Trigger
from booking_core.domain.policies import missing_seats
from booking_core.domain.reservation import SeatRequest
from booking_core.domain.values import SeatStatus, Terms
from booking_core.messages import envelopes
from booking_core.ports import LockedSeats, Store


def facts_of(store: Store, request: SeatRequest) -> LockedSeats:
    """Read the facts for the request in a unit of work that changes nothing."""
    with store.unit_of_work() as uow:
        return lock_seats(uow, request)


class ReservationsContract:
    """`BookingRepository.lock_seats` and `add`."""

    def test_facts_have_event_seats_and_clock(self, store_harness: StoreHarness) -> None:
        fixture = StoreFixture.of(store_harness)
        before = fixture.store.reads.now()

        facts = facts_of(fixture.store, fixture.request(0, 2))

        assert before <= facts.now <= fixture.store.reads.now()
        assert facts.event == fixture.event
        assert facts.wanted == fixture.ids(0, 2)
        assert dict(facts.seats) == {seat.seat_id: seat for seat in (fixture.seats[0], fixture.seats[2])}
        assert (facts.closed, facts.taken, facts.overdue, facts.pending) == (False, frozenset(), (), 0)
        assert facts.refreshed_at is None

    def test_facts_of_an_unknown_event_are_empty(self, store_harness: StoreHarness) -> None:
        fixture = StoreFixture.of(store_harness)
        elsewhere = evolve(fixture.request(0), event_id=uuid4())

        facts = facts_of(fixture.store, elsewhere)

        assert facts.event is None
        assert missing_seats(facts) == list(elsewhere.seat_ids)

    def test_facts_leave_out_unknown_seats(self, store_harness: StoreHarness) -> None:
        fixture, other = StoreFixture.of(store_harness), StoreFixture.of(store_harness)
        stranger = uuid4()
        wanted = tuple(sorted((*fixture.ids(0), *other.ids(0), stranger)))

        facts = facts_of(fixture.store, evolve(fixture.request(0), seat_ids=wanted))

        assert set(facts.seats) == set(fixture.ids(0))
        assert set(missing_seats(facts)) == {other.seats[0].seat_id, stranger}

    def test_facts_have_the_age_of_an_event_of_the_catalog(self, store_harness: StoreHarness) -> None:
        fixture = StoreFixture.of(store_harness)
        with fixture.store.unit_of_work() as uow:
            uow.events.put(fixture.event, ages=True, complete=True)
            uow.commit()
        store_harness.advance(90)

        facts = facts_of(fixture.store, fixture.request(0))

        assert facts.refreshed_at is not None
        assert timedelta(seconds=90) <= facts.now - facts.refreshed_at < timedelta(seconds=120)

    def test_a_reservation_is_stored_completely(self, store_harness: StoreHarness) -> None:
        fixture = StoreFixture.of(store_harness)

        made = fixture.reserve(2, 0)

        snapshot = fixture.store.reads.booking(made.booking_id)
        assert snapshot is not None
        assert content_of(snapshot.booking) == content_of(made)
        assert snapshot.booking.seats == (fixture.seats[0], fixture.seats[2])
        assert snapshot.booking.total.amount == Decimal("150.00")
        assert fixture.seat_status(0) is SeatStatus.HELD
        assert fixture.seat_status(1) is SeatStatus.AVAILABLE

    def test_the_history_starts_with_the_reservation(self, store_harness: StoreHarness) -> None:
        fixture = StoreFixture.of(store_harness)
        made = fixture.reserve(0)

        (entry,) = fixture.store.reads.history(made.booking_id)

        assert (entry.number, entry.trigger, entry.from_status, entry.to_status) == (
            1,
            Trigger.RESERVE,
            None,
            Status.PENDING,
        )
        assert (entry.at, entry.actor_id, entry.correlation_id) == (made.created_at, "ada", CORRELATION)

    def test_booking_created_is_stored_in_the_outbox(self, store_harness: StoreHarness) -> None:
        fixture = StoreFixture.of(store_harness)
        made = fixture.reserve(1, 0)

        (record,) = fixture.store.outbox.unpublished(10)

        assert (record.event_type, record.key, record.sequence) == ("booking.created", made.booking_id, 1)
        assert record.slot == slot_of_event(fixture.event.event_id)
        assert payload_of(record) == envelopes.payload_of(made.new_events[0])

    def test_a_booking_keeps_its_prices_when_the_seats_change(self, store_harness: StoreHarness) -> None:
        fixture = StoreFixture.of(store_harness)
        made = fixture.reserve(0)
        with fixture.store.unit_of_work() as uow:
            uow.events.put_seats(fixture.event.event_id, [evolve(fixture.seats[0], price=Decimal("99.00"), row="Z")])
            uow.commit()

        assert content_of(fixture.stored(made)) == content_of(made)

    def test_every_amount_keeps_its_digits(self, store_harness: StoreHarness) -> None:
        for price, currency in (("0", "USD"), ("99999999999", "JPY"), ("99999999999.999", "KWD"), ("0.01", "EUR")):
            fixture = StoreFixture.of(store_harness, seats=1, price=price, currency=currency)

            made = fixture.reserve(0, user=currency)

            assert content_of(fixture.stored(made)) == content_of(made)
            assert [seat.price for seat in made.seats] == [made.total.amount] == [Decimal(price)]
            assert payload_of(store_harness.events()[-1])["totalAmount"] == Decimal(price)

    def test_only_pending_holds_in_time_count_for_the_limit(self, store_harness: StoreHarness) -> None:
        fixture = StoreFixture.of(store_harness, seats=8)
        fixture.reserve(0, window=1)
        fixture.start_payment(fixture.reserve(1))
        fixture.pay(fixture.reserve(2))
        fixture.cancel(fixture.reserve(3))
        store_harness.advance(2)
        fixture.reserve(4)
        fixture.reserve(5)
        fixture.reserve(6, user="grace")

        assert facts_of(fixture.store, fixture.request(7)).pending == 2
        assert facts_of(fixture.store, fixture.request(7, user="grace")).pending == 1
        assert facts_of(fixture.store, fixture.request(7, user="stranger")).pending == 0

    def test_user_ids_of_any_text_are_stored(self, store_harness: StoreHarness) -> None:
        fixture = StoreFixture.of(store_harness, seats=4)
        for place, user in enumerate(("auth0|5f7c8ec7", "o'brien; --", "名前 🎭", "u" * 255)):
            made = fixture.reserve(place, user=user)

            assert fixture.stored(made).user_id == user
            assert facts_of(fixture.store, fixture.request(place, user=user)).pending == 1

    def test_ten_seats_are_reserved_at_once(self, store_harness: StoreHarness) -> None:
        fixture = StoreFixture.of(store_harness, seats=10)

        made = fixture.reserve(*range(10))

        assert fixture.stored(made).seats == fixture.seats

    def test_a_booking_can_be_added_without_locking_seats_first(self, store_harness: StoreHarness) -> None:
        fixture = StoreFixture.of(store_harness)
        booking = Booking.reserve(
            user_id="ada",
            event=fixture.event,
            seats=fixture.seats[:1],
            now=fixture.store.reads.now(),
            terms=Terms(),
            cause=CAUSE,
        )
        with fixture.store.unit_of_work() as uow:
            uow.bookings.add(booking)
            uow.commit()

        assert content_of(fixture.stored(booking)) == content_of(booking)
