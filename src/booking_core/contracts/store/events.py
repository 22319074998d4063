"""The suite of events and seats: writing them and reading them again."""

from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal
from functools import partial
from uuid import UUID, uuid4

from attrs import evolve

from booking_core.contracts.harness import StoreHarness
from booking_core.contracts.store.fixture import StoreFixture, content_of, in_parallel, refused
from booking_core.contracts.store.reservations import facts_of
from booking_core.domain.errors import ServiceBusy
from booking_core.domain.lifecycle import Status
from booking_core.domain.values import SaleStatus, Seat, SeatStatus, TicketedEvent
from booking_core.ports import KnownEvent, Page, Store


def put(store: Store, event: TicketedEvent, *, ages: bool = False, complete: bool = False) -> None:
    """Put the event in a unit of work of its own."""
    with store.unit_of_work() as uow:
        uow.events.put(event, ages=ages, complete=complete)
        uow.commit()


def put_seats(store: Store, event_id: UUID, seats: Sequence[Seat]) -> int:
    """Put seats in a unit of work of its own; return the number of changed rows."""
    with store.unit_of_work() as uow:
        changed = uow.events.put_seats(event_id, seats)
        uow.commit()
        return changed


def known_event(store: Store, event_id: UUID) -> KnownEvent:
    """Read an event that must be known."""
    known = store.reads.event(event_id)
    assert known is not None
    return known


def _put_if_unchanged(
    store: Store, event: TicketedEvent, before: TicketedEvent | None, *, refreshed: bool = True
) -> bool:
    with store.unit_of_work() as uow:
        is_put = uow.events.put_if_unchanged(event, before, ages=True, complete=False, refreshed=refreshed)
        uow.commit()
        return is_put


class EventsContract:
    """`EventRepository.put`, `put_if_unchanged`, `lock`, `put_seats`, `withdraw_seats`, and the queries for events."""

    def test_an_event_is_read_as_it_was_put(self, store_harness: StoreHarness) -> None:
        fixture = StoreFixture.of(store_harness)
        store = fixture.store
        changed = evolve(
            fixture.event,
            name="Der Sturm 🌩",
            status=SaleStatus.DRAFT,
            starts_at=fixture.event.starts_at,
            currency="JPY",
        )
        put(store, changed)

        known = known_event(store, fixture.event.event_id)

        assert known.event == changed
        assert (known.closed, known.age_seconds) == (False, None)
        assert store.reads.event(uuid4()) is None

    def test_complete_is_never_unset(self, store_harness: StoreHarness) -> None:
        fixture = StoreFixture.of(store_harness)
        fresh = evolve(fixture.event, event_id=uuid4())
        put(fixture.store, fresh, complete=False)
        assert not known_event(fixture.store, fresh.event_id).complete
        put(fixture.store, fresh, complete=True)
        put(fixture.store, fresh, complete=False)

        assert known_event(fixture.store, fresh.event_id).complete

    def test_put_if_unchanged_replaces_an_unchanged_event(self, store_harness: StoreHarness) -> None:
        fixture = StoreFixture.of(store_harness)
        store, before = fixture.store, fixture.event
        changed = evolve(before, name="Der Sturm", currency="EUR", status=SaleStatus.DRAFT)

        assert not _put_if_unchanged(store, changed, evolve(before, currency="EUR"))
        assert not _put_if_unchanged(store, changed, evolve(before, status=SaleStatus.DRAFT))
        assert not _put_if_unchanged(store, changed, None)
        assert known_event(store, before.event_id).event == before

        assert _put_if_unchanged(store, changed, evolve(before, name="another name decides nothing"))
        known = known_event(store, before.event_id)
        assert (known.event, known.complete) == (changed, True)
        assert known.age_seconds is not None

    def test_put_if_unchanged_inserts_an_unknown_event(self, store_harness: StoreHarness) -> None:
        fixture = StoreFixture.of(store_harness)
        fresh = evolve(fixture.event, event_id=uuid4())

        assert not _put_if_unchanged(fixture.store, fresh, fresh)
        assert fixture.store.reads.event(fresh.event_id) is None
        assert _put_if_unchanged(fixture.store, fresh, None)
        assert not _put_if_unchanged(fixture.store, evolve(fresh, currency="EUR"), None)
        assert known_event(fixture.store, fresh.event_id).event == fresh

    def test_one_of_many_parallel_inserts_succeeds(self, store_harness: StoreHarness) -> None:
        fixture = StoreFixture.of(store_harness)
        for _ in range(5):
            fresh = evolve(fixture.event, event_id=uuid4())
            named = [evolve(fresh, name=f"name {n}") for n in range(8)]

            outcomes = in_parallel([partial(_put_if_unchanged, fixture.store, event, None) for event in named])

            assert sorted(outcomes, key=bool) == [False] * 7 + [True]
            assert known_event(fixture.store, fresh.event_id).event == named[outcomes.index(True)]

    def test_a_locked_event_cannot_change_and_can_be_reserved(self, store_harness: StoreHarness) -> None:
        fixture = StoreFixture.of(store_harness)
        store, changed = fixture.store, evolve(fixture.event, currency="EUR")
        with store.unit_of_work() as uow:
            assert uow.events.lock(fixture.event.event_id) == fixture.event
            assert uow.events.lock(uuid4()) is None
            refused(ServiceBusy, lambda: put(store, changed))
            refused(ServiceBusy, lambda: _put_if_unchanged(store, changed, fixture.event))
            assert fixture.reserve(0).status is Status.PENDING
            assert known_event(store, fixture.event.event_id).event == fixture.event

        assert _put_if_unchanged(store, changed, fixture.event)
        with store.unit_of_work() as uow:
            assert uow.events.lock(fixture.event.event_id) == changed

    def test_an_event_of_the_catalog_ages_and_is_refreshed(self, store_harness: StoreHarness) -> None:
        fixture = StoreFixture.of(store_harness)
        put(fixture.store, fixture.event, ages=True)
        store_harness.advance(100)
        age = known_event(fixture.store, fixture.event.event_id).age_seconds
        put(fixture.store, fixture.event, ages=True)
        refreshed = known_event(fixture.store, fixture.event.event_id).age_seconds

        assert age is not None
        assert refreshed is not None
        assert 100 <= age < 160
        assert 0 <= refreshed < 60

    def test_an_event_that_is_not_refreshed_is_as_old_as_before(self, store_harness: StoreHarness) -> None:
        fixture = StoreFixture.of(store_harness)
        put(fixture.store, fixture.event, ages=True)
        store_harness.advance(100)
        changed = evolve(fixture.event, name="Der Sturm")
        assert _put_if_unchanged(fixture.store, changed, fixture.event, refreshed=False)
        known = known_event(fixture.store, fixture.event.event_id)
        fresh = evolve(fixture.event, event_id=uuid4())
        assert _put_if_unchanged(fixture.store, fresh, None, refreshed=False)
        new_age = known_event(fixture.store, fresh.event_id).age_seconds

        assert known.event == changed
        assert known.age_seconds is not None
        assert new_age is not None
        assert 100 <= known.age_seconds < 160
        assert 0 <= new_age < 60

    def test_events_are_listed_by_start_and_id_in_pages(self, store_harness: StoreHarness) -> None:
        fixture = StoreFixture.of(store_harness)
        later = [
            evolve(fixture.event, event_id=uuid4(), starts_at=fixture.event.starts_at + timedelta(hours=n))
            for n in (3, 1, 2, 1)
        ]
        for event in later:
            put(fixture.store, event)
        wanted = sorted([fixture.event, *later], key=lambda event: (event.starts_at, event.event_id))

        pages = [fixture.store.reads.events(Page(number=number, limit=2)) for number in (1, 2, 3, 4)]

        assert [each.event for page in pages for each in page.items] == wanted
        assert [len(page.items) for page in pages] == [2, 2, 1, 0]
        assert {page.total for page in pages} == {5}

    def test_put_seats_counts_only_changed_rows(self, store_harness: StoreHarness) -> None:
        fixture = StoreFixture.of(store_harness, seats=4)
        cheaper = evolve(fixture.seats[1], price=Decimal("60.00"))
        newcomer = Seat(seat_id=uuid4(), row="B", number=1, price=Decimal("5.00"))
        given = [newcomer, fixture.seats[3], cheaper, fixture.seats[0]]

        assert put_seats(fixture.store, fixture.event.event_id, given) == 2
        assert put_seats(fixture.store, fixture.event.event_id, given) == 0
        assert put_seats(fixture.store, fixture.event.event_id, []) == 0

        on_map = {each.seat for each in fixture.store.reads.seats(fixture.event.event_id).seats}
        assert on_map == {fixture.seats[0], cheaper, fixture.seats[2], fixture.seats[3], newcomer}

    def test_seats_are_listed_by_row_number_and_id(self, store_harness: StoreHarness) -> None:
        fixture = StoreFixture.of(store_harness, seats=0)
        seats = [
            Seat(seat_id=uuid4(), row=row, number=number, price=Decimal(1))
            for row, number in (("B", 1), ("A", 10), ("A", 2), ("AA", 1), ("A", 2))
        ]
        put_seats(fixture.store, fixture.event.event_id, seats)

        found = [each.seat for each in fixture.store.reads.seats(fixture.event.event_id).seats]

        assert found == sorted(seats, key=lambda seat: (seat.row, seat.number, seat.seat_id))
        assert list(fixture.store.reads.seats(uuid4()).seats) == []

    def test_seats_are_listed_with_their_public_status(self, store_harness: StoreHarness) -> None:
        fixture = StoreFixture.of(store_harness)
        fixture.reserve(0, window=1)
        store_harness.advance(2)
        fixture.reserve(1)
        fixture.start_payment(fixture.reserve(2))
        fixture.pay(fixture.reserve(3))
        fixture.cancel(fixture.reserve(4))

        found = [fixture.seat_status(place).value for place in range(6)]

        assert found == ["AVAILABLE", "HELD", "HELD", "SOLD", "AVAILABLE", "AVAILABLE"]

    def test_a_withdrawn_seat_cannot_be_reserved_until_put_again(self, store_harness: StoreHarness) -> None:
        fixture = StoreFixture.of(store_harness, seats=3)
        held = fixture.reserve(2, user="grace")

        assert self._withdraw(fixture, 0) == 2
        assert self._withdraw(fixture, 0) == 0
        assert set(facts_of(fixture.store, fixture.request(0, 1)).seats) == set(fixture.ids(0))
        assert content_of(fixture.stored(held)) == content_of(held)

        assert put_seats(fixture.store, fixture.event.event_id, [fixture.seats[1]]) == 1
        assert set(facts_of(fixture.store, fixture.request(0, 1)).seats) == set(fixture.ids(0, 1))

    def test_withdrawing_all_seats_and_none(self, store_harness: StoreHarness) -> None:
        fixture, other = StoreFixture.of(store_harness, seats=3), StoreFixture.of(store_harness, seats=2)

        assert self._withdraw(fixture, 0, 1, 2) == 0
        assert self._withdraw(fixture) == 3
        assert len(facts_of(other.store, other.request(0, 1)).seats) == 2

    def test_a_unit_of_work_sees_its_own_writes_of_events(self, store_harness: StoreHarness) -> None:
        fixture = StoreFixture.of(store_harness)
        fresh = evolve(fixture.event, event_id=uuid4())
        seats = [evolve(seat, seat_id=uuid4()) for seat in fixture.seats]
        with fixture.store.unit_of_work() as uow:
            uow.events.put(fresh, ages=False, complete=False)
            assert uow.events.put_seats(fresh.event_id, seats) == 6
            assert uow.events.put_seats(fresh.event_id, seats) == 0
            assert uow.events.withdraw_seats(fresh.event_id, [seats[0].seat_id]) == 5
            uow.commit()

        statuses = {each.seat.seat_id: each.status for each in fixture.store.reads.seats(fresh.event_id).seats}
        assert statuses[seats[0].seat_id] is SeatStatus.AVAILABLE

    def _withdraw(self, fixture: StoreFixture, *known: int) -> int:
        with fixture.store.unit_of_work() as uow:
            withdrawn = uow.events.withdraw_seats(fixture.event.event_id, fixture.ids(*known))
            uow.commit()
            return withdrawn
