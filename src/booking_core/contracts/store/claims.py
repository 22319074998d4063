"""BR-01: one live claim per seat, whatever the caller believes."""

from uuid import uuid4

from attrs import evolve

from booking_core.contracts.harness import StoreHarness
from booking_core.contracts.store.fixture import CAUSE, CORRELATION, Scenery, facts, refused
from booking_core.contracts.store.reservations import scene_of
from booking_core.domain.errors import SeatAlreadyReserved
from booking_core.domain.lifecycle import CancellationReason, Status
from booking_core.domain.values import SeatStatus
from booking_core.ports import UnitOfWork


class ClaimsContract:
    """Claims: who is told that a seat is taken, and when it is free again."""

    def test_the_scene_names_the_taken_seats_of_this_request(self, store_harness: StoreHarness) -> None:
        scenery = Scenery.of(store_harness)
        scenery.reserve(0, 1, user="grace")
        scenery.pay(scenery.reserve(2, user="alan"))

        scene = scene_of(scenery.store, scenery.request(1, 2, 3))

        assert scene.taken == frozenset(scenery.ids(1, 2))
        assert scene.overdue == ()

    def test_what_does_not_exist_is_told_even_if_another_seat_is_taken(self, store_harness: StoreHarness) -> None:
        scenery = Scenery.of(store_harness)
        scenery.reserve(0, user="grace")
        stranger = uuid4()
        wanted = tuple(sorted((*scenery.ids(0, 1), stranger)))

        scene = scene_of(scenery.store, evolve(scenery.request(0), seat_ids=wanted))

        assert scene.missing == [stranger]
        assert scene.taken == frozenset(scenery.ids(0))

    def test_ones_own_seats_are_taken_too(self, store_harness: StoreHarness) -> None:
        scenery = Scenery.of(store_harness)
        scenery.reserve(0)

        assert scene_of(scenery.store, scenery.request(0)).taken == frozenset(scenery.ids(0))

    def test_a_claim_against_the_facts_fails_at_commit(self, store_harness: StoreHarness) -> None:
        scenery = Scenery.of(store_harness)
        scenery.reserve(0, 1, user="grace")
        intruder = scenery.new_booking(1, 2)

        def claim() -> None:
            with scenery.store.unit_of_work() as uow:
                uow.bookings.add(intruder)
                uow.commit()

        error = refused(SeatAlreadyReserved, claim)

        assert error.details == {"unavailableSeatIds": [str(scenery.seats[1].seat_id)]}
        assert scenery.store.queries.booking(intruder.booking_id) is None
        assert [record.key for record in store_harness.events() if record.key == intruder.booking_id] == []
        assert scenery.seat_status(2) is SeatStatus.AVAILABLE
        assert scene_of(scenery.store, scenery.request(3)).pending == 0

    def test_a_sold_seat_is_not_claimed_either(self, store_harness: StoreHarness) -> None:
        scenery = Scenery.of(store_harness)
        owner = scenery.reserve(0, user="grace")
        scenery.pay(owner)

        def claim() -> None:
            with scenery.store.unit_of_work() as uow:
                uow.bookings.add(scenery.new_booking(0))
                uow.commit()

        refused(SeatAlreadyReserved, claim)

        assert scenery.stored(owner).status is Status.CONFIRMED
        assert scenery.seat_status(0) is SeatStatus.SOLD

    def test_an_overdue_holder_that_is_not_settled_still_has_its_claim(self, store_harness: StoreHarness) -> None:
        scenery = Scenery.of(store_harness)
        holder = scenery.reserve(0, user="grace", window=1)
        store_harness.advance(2)

        def claim() -> None:
            with scenery.store.unit_of_work() as uow:
                uow.bookings.lock_seats(scenery.request(0))
                uow.bookings.add(scenery.new_booking(0))
                uow.commit()

        refused(SeatAlreadyReserved, claim)

        assert scenery.stored(holder).status is Status.PENDING

    def test_released_seats_are_free_at_once(self, store_harness: StoreHarness) -> None:
        scenery = Scenery.of(store_harness)
        scenery.cancel(scenery.reserve(0, 1, user="grace"))
        sold = scenery.reserve(2, user="alan")
        scenery.pay(sold)
        scenery.cancel(sold)

        assert scene_of(scenery.store, scenery.request(0, 1, 2)).taken == frozenset()
        assert scenery.stored(scenery.reserve(0, 1, 2)).status is Status.PENDING

    def test_an_ended_booking_lets_go_of_its_own_claims_alone(self, store_harness: StoreHarness) -> None:
        scenery = Scenery.of(store_harness)
        first = scenery.reserve(0, user="grace")
        scenery.cancel(first)
        second = scenery.reserve(0)

        # A payment for the first comes late: it is written again while the seat is the second's.
        scenery.pay(first)

        assert scene_of(scenery.store, scenery.request(0, user="alan")).taken == frozenset(scenery.ids(0))
        assert scenery.stored(second).is_live

    def test_how_it_is_with_some_seats_can_be_asked_without_locks(self, store_harness: StoreHarness) -> None:
        scenery, other = Scenery.of(store_harness), Scenery.of(store_harness)
        scenery.reserve(0, user="alan", window=1)
        scenery.cancel(scenery.reserve(1, user="grace"))
        scenery.reserve(2, 3, user="grace")
        scenery.pay(scenery.reserve(4, user="alan"))
        store_harness.advance(2)

        ask, event_id = scenery.store.queries.seat_statuses, scenery.event.event_id
        free, held, sold = SeatStatus.AVAILABLE, SeatStatus.HELD, SeatStatus.SOLD
        wanted = scenery.ids(0, 1, 2, 4, 5)
        assert ask(event_id, [*wanted, uuid4()]) == dict(zip(wanted, (free, free, held, sold, free), strict=True))
        assert ask(event_id, []) == ask(other.event.event_id, wanted) == ask(uuid4(), wanted) == {}

    def test_nothing_is_said_of_a_withdrawn_seat(self, store_harness: StoreHarness) -> None:
        scenery = Scenery.of(store_harness)
        scenery.reserve(0)
        with scenery.store.unit_of_work() as uow:
            uow.events.withdraw_seats(scenery.event.event_id, scenery.ids(2, 3, 4, 5))
            uow.commit()

        statuses = scenery.store.queries.seat_statuses(scenery.event.event_id, scenery.ids(0, 1, 2))

        assert statuses == dict.fromkeys(scenery.ids(2), SeatStatus.AVAILABLE)

    def test_an_overdue_holder_is_handed_over_and_not_taken(self, store_harness: StoreHarness) -> None:
        scenery = Scenery.of(store_harness)
        late = [scenery.reserve(0, 1, user="grace", window=1), scenery.reserve(2, user="alan", window=1)]
        store_harness.advance(5)

        scene = scene_of(scenery.store, scenery.request(0, 1, 2, 3))

        assert scene.taken == frozenset()
        assert [holder.booking_id for holder in scene.overdue] == sorted(booking.booking_id for booking in late)
        for holder in scene.overdue:
            assert facts(holder) == facts(scenery.stored(holder))

    def test_a_payment_in_progress_has_time_of_its_own(self, store_harness: StoreHarness) -> None:
        scenery = Scenery.of(store_harness)
        scenery.start_payment(scenery.reserve(0, user="grace", window=10))
        store_harness.advance(200)

        assert scene_of(scenery.store, scenery.request(0)).taken == frozenset(scenery.ids(0))

    def test_settling_the_holder_and_claiming_its_seats_is_one_transaction(self, store_harness: StoreHarness) -> None:
        scenery = Scenery.of(store_harness)
        late = [scenery.reserve(0, 1, user="grace", window=1), scenery.reserve(2, user="alan", window=1)]
        store_harness.advance(2)

        taker = scenery.reserve(1, 2, 3)

        for before in late:
            after = scenery.stored(before)
            assert (after.status, after.cancellation_reason) == (Status.CANCELLED, CancellationReason.EXPIRED)
            types = [record.event_type for record in store_harness.events() if record.key == before.booking_id]
            assert types == ["booking.created", "booking.expired", "booking.cancelled"]
        assert scenery.seat_status(0) is SeatStatus.AVAILABLE
        assert scene_of(scenery.store, scenery.request(0, 1, 2, 3)).taken == frozenset(scenery.ids(1, 2, 3))
        assert taker.is_live

    def test_a_rolled_back_taker_leaves_the_holder_as_it_was(self, store_harness: StoreHarness) -> None:
        scenery = Scenery.of(store_harness)
        late = scenery.reserve(0, user="grace", window=1)
        store_harness.advance(2)

        with scenery.store.unit_of_work() as uow:
            self._settle_and_claim(scenery, uow)

        assert scenery.stored(late).status is Status.PENDING
        assert [record.event_type for record in store_harness.events()] == ["booking.created"]

    def _settle_and_claim(self, scenery: Scenery, uow: UnitOfWork) -> None:
        scene = uow.bookings.lock_seats(scenery.request(0))
        for holder in scene.overdue:
            assert holder.expire(scene.now, CAUSE)
            uow.bookings.save(holder)
        booking = scenery.new_booking(0)
        assert booking.correlation_id == CORRELATION
        uow.bookings.add(booking)
