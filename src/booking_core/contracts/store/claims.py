"""The suite of BR-01: at most one live claim per seat, even if a caller ignores the facts."""

from uuid import uuid4

from attrs import evolve

from booking_core.contracts.harness import StoreHarness
from booking_core.contracts.store.fixture import CAUSE, CORRELATION, StoreFixture, content_of, lock_seats, refused
from booking_core.contracts.store.reservations import facts_of
from booking_core.domain.errors import SeatAlreadyReserved
from booking_core.domain.lifecycle import Status
from booking_core.domain.policies import missing_seats
from booking_core.domain.values import CancellationReason, SeatStatus
from booking_core.ports import UnitOfWork


class ClaimsContract:
    """Claims: when a seat counts as taken, and when it is free again."""

    def test_facts_list_the_taken_seats_of_the_request(self, store_harness: StoreHarness) -> None:
        fixture = StoreFixture.of(store_harness)
        fixture.reserve(0, 1, user="grace")
        fixture.pay(fixture.reserve(2, user="alan"))

        facts = facts_of(fixture.store, fixture.request(1, 2, 3))

        assert facts.taken == frozenset(fixture.ids(1, 2))
        assert facts.overdue == ()

    def test_unknown_seats_are_reported_even_if_another_seat_is_taken(self, store_harness: StoreHarness) -> None:
        fixture = StoreFixture.of(store_harness)
        fixture.reserve(0, user="grace")
        stranger = uuid4()
        wanted = tuple(sorted((*fixture.ids(0, 1), stranger)))

        facts = facts_of(fixture.store, evolve(fixture.request(0), seat_ids=wanted))

        assert missing_seats(facts) == [stranger]
        assert facts.taken == frozenset(fixture.ids(0))

    def test_facts_list_the_customers_own_seats_as_taken(self, store_harness: StoreHarness) -> None:
        fixture = StoreFixture.of(store_harness)
        fixture.reserve(0)

        assert facts_of(fixture.store, fixture.request(0)).taken == frozenset(fixture.ids(0))

    def test_commit_with_a_claim_on_a_taken_seat_is_refused(self, store_harness: StoreHarness) -> None:
        fixture = StoreFixture.of(store_harness)
        fixture.reserve(0, 1, user="grace")
        intruder = fixture.new_booking(1, 2)

        def claim() -> None:
            with fixture.store.unit_of_work() as uow:
                uow.bookings.add(intruder)
                uow.commit()

        error = refused(SeatAlreadyReserved, claim)

        assert error.details == {"unavailableSeatIds": [str(fixture.seats[1].seat_id)]}
        assert fixture.store.reads.booking(intruder.booking_id) is None
        assert [record.key for record in store_harness.events() if record.key == intruder.booking_id] == []
        assert fixture.seat_status(2) is SeatStatus.AVAILABLE
        assert facts_of(fixture.store, fixture.request(3)).pending == 0

    def test_commit_with_a_claim_on_a_sold_seat_is_refused(self, store_harness: StoreHarness) -> None:
        fixture = StoreFixture.of(store_harness)
        owner = fixture.reserve(0, user="grace")
        fixture.pay(owner)

        def claim() -> None:
            with fixture.store.unit_of_work() as uow:
                uow.bookings.add(fixture.new_booking(0))
                uow.commit()

        refused(SeatAlreadyReserved, claim)

        assert fixture.stored(owner).status is Status.CONFIRMED
        assert fixture.seat_status(0) is SeatStatus.SOLD

    def test_commit_without_settling_the_overdue_holder_is_refused(self, store_harness: StoreHarness) -> None:
        fixture = StoreFixture.of(store_harness)
        holder = fixture.reserve(0, user="grace", window=1)
        store_harness.advance(2)

        def claim() -> None:
            with fixture.store.unit_of_work() as uow:
                uow.bookings.lock_seats(fixture.request(0))
                uow.bookings.add(fixture.new_booking(0))
                uow.commit()

        refused(SeatAlreadyReserved, claim)

        assert fixture.stored(holder).status is Status.PENDING

    def test_released_seats_are_free_at_once(self, store_harness: StoreHarness) -> None:
        fixture = StoreFixture.of(store_harness)
        fixture.cancel(fixture.reserve(0, 1, user="grace"))
        sold = fixture.reserve(2, user="alan")
        fixture.pay(sold)
        fixture.cancel(sold)

        assert facts_of(fixture.store, fixture.request(0, 1, 2)).taken == frozenset()
        assert fixture.stored(fixture.reserve(0, 1, 2)).status is Status.PENDING

    def test_saving_an_ended_booking_releases_only_its_own_claims(self, store_harness: StoreHarness) -> None:
        fixture = StoreFixture.of(store_harness)
        first = fixture.reserve(0, user="grace")
        fixture.cancel(first)
        second = fixture.reserve(0)

        # A late payment saves the first booking again, while the second one owns the seat.
        fixture.pay(first)

        assert facts_of(fixture.store, fixture.request(0, user="alan")).taken == frozenset(fixture.ids(0))
        assert fixture.stored(second).is_live

    def test_seat_statuses_are_read_without_locks(self, store_harness: StoreHarness) -> None:
        fixture, other = StoreFixture.of(store_harness), StoreFixture.of(store_harness)
        fixture.reserve(0, user="alan", window=1)
        fixture.cancel(fixture.reserve(1, user="grace"))
        fixture.reserve(2, 3, user="grace")
        fixture.pay(fixture.reserve(4, user="alan"))
        store_harness.advance(2)

        ask, event_id = fixture.store.reads.seat_statuses, fixture.event.event_id
        free, held, sold = SeatStatus.AVAILABLE, SeatStatus.HELD, SeatStatus.SOLD
        wanted = fixture.ids(0, 1, 2, 4, 5)
        assert ask(event_id, [*wanted, uuid4()]) == dict(zip(wanted, (free, free, held, sold, free), strict=True))
        assert ask(event_id, []) == ask(other.event.event_id, wanted) == ask(uuid4(), wanted) == {}

    def test_seat_statuses_leave_out_withdrawn_seats(self, store_harness: StoreHarness) -> None:
        fixture = StoreFixture.of(store_harness)
        fixture.reserve(0)
        with fixture.store.unit_of_work() as uow:
            uow.events.withdraw_seats(fixture.event.event_id, fixture.ids(2, 3, 4, 5))
            uow.commit()

        statuses = fixture.store.reads.seat_statuses(fixture.event.event_id, fixture.ids(0, 1, 2))

        assert statuses == dict.fromkeys(fixture.ids(2), SeatStatus.AVAILABLE)

    def test_facts_list_an_overdue_holder_and_not_its_seats_as_taken(self, store_harness: StoreHarness) -> None:
        fixture = StoreFixture.of(store_harness)
        late = [fixture.reserve(0, 1, user="grace", window=1), fixture.reserve(2, user="alan", window=1)]
        store_harness.advance(5)

        facts = facts_of(fixture.store, fixture.request(0, 1, 2, 3))

        assert facts.taken == frozenset()
        assert [holder.booking_id for holder in facts.overdue] == sorted(booking.booking_id for booking in late)
        for holder in facts.overdue:
            assert content_of(holder) == content_of(fixture.stored(holder))

    def test_a_payment_in_progress_has_its_own_deadline(self, store_harness: StoreHarness) -> None:
        fixture = StoreFixture.of(store_harness)
        fixture.start_payment(fixture.reserve(0, user="grace", window=10))
        store_harness.advance(200)

        assert facts_of(fixture.store, fixture.request(0)).taken == frozenset(fixture.ids(0))

    def test_settling_the_holder_and_claiming_its_seats_is_one_transaction(self, store_harness: StoreHarness) -> None:
        fixture = StoreFixture.of(store_harness)
        late = [fixture.reserve(0, 1, user="grace", window=1), fixture.reserve(2, user="alan", window=1)]
        store_harness.advance(2)

        taker = fixture.reserve(1, 2, 3)

        for before in late:
            after = fixture.stored(before)
            assert (after.status, after.cancellation_reason) == (Status.CANCELLED, CancellationReason.EXPIRED)
            types = [record.event_type for record in store_harness.events() if record.key == before.booking_id]
            assert types == ["booking.created", "booking.expired", "booking.cancelled"]
        assert fixture.seat_status(0) is SeatStatus.AVAILABLE
        assert facts_of(fixture.store, fixture.request(0, 1, 2, 3)).taken == frozenset(fixture.ids(1, 2, 3))
        assert taker.is_live

    def test_a_rollback_leaves_the_overdue_holder_unchanged(self, store_harness: StoreHarness) -> None:
        fixture = StoreFixture.of(store_harness)
        late = fixture.reserve(0, user="grace", window=1)
        store_harness.advance(2)

        with fixture.store.unit_of_work() as uow:
            self._settle_and_claim(fixture, uow)

        assert fixture.stored(late).status is Status.PENDING
        assert [record.event_type for record in store_harness.events()] == ["booking.created"]

    def _settle_and_claim(self, fixture: StoreFixture, uow: UnitOfWork) -> None:
        facts = lock_seats(uow, fixture.request(0))
        for holder in facts.overdue:
            assert holder.expire(facts.now, CAUSE)
            uow.bookings.save(holder)
        booking = fixture.new_booking(0)
        assert booking.correlation_id == CORRELATION
        uow.bookings.add(booking)
