"""Decisions about a stale event ask the Catalog first; what it says counts at once, and without it what is known."""

from collections.abc import Callable, Collection, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from threading import Event
from typing import Any
from uuid import UUID, uuid4

import pytest
from attrs import define, evolve, field

from booking_core import (
    CancelBooking,
    CatalogCache,
    ConfirmPayment,
    Reserve,
    cancel,
    confirm_payment,
    get_event,
    list_seats,
    reserve,
)
from booking_core.domain.booking import Booking
from booking_core.domain.errors import (
    BookingError,
    BookingNotCancellable,
    CatalogUnavailable,
    EventNotFound,
    EventNotOnSale,
    SeatNotFound,
)
from booking_core.domain.lifecycle import Status
from booking_core.domain.values import SaleStatus, Seat, TicketedEvent
from booking_core.ports.catalog import CatalogAnswerInvalid, CatalogBusy
from booking_memory.store import MemoryStore

NOW = datetime(2030, 1, 1, 12, tzinfo=UTC)
START = NOW + timedelta(days=30)
HAMLET = TicketedEvent(event_id=uuid4(), name="Hamlet", starts_at=START, status=SaleStatus.ON_SALE, currency="USD")
SEATS = [Seat(seat_id=uuid4(), row="A", number=n, price=Decimal(75)) for n in range(20)]


@define
class Catalog:
    """Has one event and its seats, unless told to fail; counts its questions."""

    event_now: TicketedEvent | None = HAMLET
    event_error: Exception | None = None
    seats_error: Exception | None = None
    hall_error: Exception | None = None
    asked: int = 0
    may_answer: Event = field(factory=Event)

    breaker_state = None

    def event(self, event_id: UUID) -> TicketedEvent | None:
        self.asked += 1
        self.may_answer.wait(20)
        if self.event_error is not None:
            raise self.event_error
        return self.event_now if event_id == HAMLET.event_id else None

    def seats(self, event: TicketedEvent, seat_ids: Collection[UUID] | None = None) -> Sequence[Seat]:
        if self.seats_error is not None:
            raise self.seats_error
        if self.hall_error is not None and seat_ids is None:
            raise self.hall_error
        return [seat for seat in SEATS if seat_ids is None or seat.seat_id in seat_ids]

    def close(self) -> None:
        """Nothing to let go of."""


@define
class World:
    """One store, its clock, a Catalog, and the cache of one process. `later` keeps what is for the background."""

    catalog: Catalog = field(factory=Catalog)
    now: datetime = NOW
    later: list[Callable[[], None]] = field(factory=list)
    store: MemoryStore = field(init=False)
    cache: CatalogCache = field(init=False)
    _customers: int = 0

    def __attrs_post_init__(self) -> None:
        self.catalog.may_answer.set()
        self.store = MemoryStore(lambda: self.now, lock_wait=0.1)
        self.cache = CatalogCache(
            store=self.store, catalog=self.catalog, later=self.later.append, failure_seconds=1000.0, ask_seconds=0.05
        )

    def after(self, **time: float) -> None:
        self.now += timedelta(**time)

    def buy(self, place: int = 0) -> Booking:
        self._customers += 1
        command = Reserve(
            user_id=f"customer {self._customers}",
            event_id=HAMLET.event_id,
            seat_ids=(SEATS[place].seat_id,),
            correlation_id="c",
        )
        return reserve(command, store=self.store, catalog_cache=self.cache)

    def bought(self, place: int = 0) -> Booking:
        """Buy and pay."""
        booking = self.buy(place)
        total = booking.total
        message: dict[str, Any] = {"message_id": uuid4(), "payment_id": "p", "correlation_id": "c"}
        payment = ConfirmPayment(booking_id=booking.booking_id, amount=total.amount, currency=total.currency, **message)
        confirm_payment(payment, store=self.store)
        return booking

    def cancelled(self, booking: Booking) -> Booking:
        command = CancelBooking(user_id=booking.user_id, booking_id=booking.booking_id, correlation_id="c")
        return cancel(command, store=self.store, catalog_cache=self.cache)

    def note(self, booking: Booking) -> str:
        return self.store.reads.history(booking.booking_id)[-1].note

    def status(self) -> SaleStatus:
        return get_event(HAMLET.event_id, store=self.store).event.status


def is_refunded(booking: Booking) -> bool:
    return any(payment.refund_reason is not None for payment in booking.payments.values())


@pytest.fixture
def world() -> Iterator[World]:
    world = World()
    world.buy()
    world.catalog.asked = 0
    yield world
    world.catalog.may_answer.set()
    world.store.close()


class TestReserving:
    @pytest.mark.parametrize("status", [SaleStatus.CANCELLED, SaleStatus.DRAFT])
    def test_a_stale_event_is_asked_for_first(self, world: World, status: SaleStatus) -> None:
        world.catalog.event_now = evolve(HAMLET, status=status)
        world.after(seconds=59)
        world.buy(1)
        assert world.catalog.asked == 0
        world.after(seconds=2)
        with pytest.raises(EventNotOnSale):
            world.buy(2)

    @pytest.mark.parametrize("error", [CatalogUnavailable(), CatalogAnswerInvalid("no JSON")])
    def test_without_an_answer_what_is_known_is_sold_for_an_hour(self, world: World, error: Exception) -> None:
        world.catalog.event_error = error
        world.after(minutes=59)
        for place in range(1, 6):
            world.buy(place)
        assert world.catalog.asked == 1, "a failure is remembered"
        world.after(minutes=2)
        for place in range(6, 9):
            with pytest.raises(CatalogUnavailable):
                world.buy(place)
        assert world.catalog.asked == 2

    def test_a_slow_answer_is_waited_for_once(self, world: World) -> None:
        world.catalog.may_answer.clear()
        world.after(minutes=2)
        for place in range(1, 6):
            world.buy(place)
        assert world.catalog.asked == 1

    def test_who_cannot_wait_is_refused_until_the_catalog_has_failed_once(self, world: World) -> None:
        world.cache = CatalogCache(store=world.store, catalog=world.catalog, most_waiting=0, later=world.later.append)
        world.after(minutes=2)
        with pytest.raises(CatalogBusy):
            world.buy(1)
        world.cache._unreliable.add(HAMLET.event_id)
        world.buy(1)

    def test_a_cancelled_event_is_not_sold_while_its_seats_cannot_be_read(self, world: World) -> None:
        world.catalog.event_now = evolve(HAMLET, status=SaleStatus.CANCELLED)
        world.catalog.seats_error = CatalogUnavailable()
        world.after(minutes=2)
        with pytest.raises(EventNotOnSale):
            world.buy(1)
        assert world.status() is SaleStatus.CANCELLED

    def test_a_cancelled_event_is_not_sold_whatever_else_is_wrong_with_it(self, world: World) -> None:
        error = CatalogAnswerInvalid("name is null")
        error.sale_status = SaleStatus.CANCELLED
        world.catalog.event_error = error
        world.after(minutes=2)
        with pytest.raises(EventNotOnSale):
            world.buy(1)

    def test_in_another_currency_nothing_is_sold_before_its_prices_are_known(self, world: World) -> None:
        world.catalog.event_now = evolve(HAMLET, currency="EUR")
        world.catalog.seats_error = CatalogUnavailable()
        world.after(minutes=2)
        with pytest.raises(EventNotOnSale):
            world.buy(1)

    def test_an_event_whose_seats_cannot_be_read_is_as_old_as_its_seats(self, world: World) -> None:
        world.catalog.event_now = evolve(HAMLET, name="Hamlet, Prince of Denmark")
        world.catalog.seats_error = CatalogUnavailable()
        world.after(minutes=40)
        world.buy(1)
        known = get_event(HAMLET.event_id, store=world.store)
        assert (known.event.name, known.age_seconds) == ("Hamlet, Prince of Denmark", 2400.0)
        world.after(minutes=40)
        with pytest.raises(CatalogUnavailable):
            world.buy(2)

    def test_an_event_that_could_not_be_fetched_costs_no_query(self) -> None:
        world = World()
        world.catalog.event_error = CatalogUnavailable()
        with pytest.raises(CatalogUnavailable):
            world.buy()
        world.store.close()
        for _ in range(3):
            with pytest.raises(CatalogUnavailable):
                world.buy()
        assert world.catalog.asked == 1


class TestAHallThatCannotBeRead:
    @pytest.fixture
    def world(self) -> Iterator[World]:
        world = World(Catalog(hall_error=CatalogAnswerInvalid("too long")))
        world.cache.failure_seconds = 0.0
        world.cache = CatalogCache(store=world.store, catalog=world.catalog, failure_seconds=0.0)
        yield world
        world.store.close()

    def test_its_event_is_shown(self, world: World) -> None:
        assert get_event(HAMLET.event_id, store=world.store, catalog_cache=world.cache).event == HAMLET

    def test_its_seats_are_sold_one_by_one(self, world: World) -> None:
        with pytest.raises(CatalogUnavailable):
            list_seats(HAMLET.event_id, store=world.store, catalog_cache=world.cache)
        assert world.buy(3).status is Status.PENDING
        shown = list_seats(HAMLET.event_id, store=world.store, catalog_cache=world.cache)
        assert [each.seat for each in shown.seats] == [SEATS[3]]

    def test_a_seat_that_is_nowhere_is_not_found(self, world: World) -> None:
        with pytest.raises(CatalogUnavailable):
            list_seats(HAMLET.event_id, store=world.store, catalog_cache=world.cache)
        command = Reserve(user_id="ada", event_id=HAMLET.event_id, seat_ids=(uuid4(),), correlation_id="c")
        with pytest.raises(SeatNotFound):
            reserve(command, store=world.store, catalog_cache=world.cache)


def test_a_map_that_can_be_read_is_shown_although_a_refresh_fails(world: World) -> None:
    world.catalog.event_error = world.catalog.seats_error = CatalogUnavailable()
    world.after(hours=5)
    assert len(list_seats(HAMLET.event_id, store=world.store, catalog_cache=world.cache).seats) == len(SEATS)


class TestCancelling:
    @pytest.fixture
    def booking(self, world: World) -> Booking:
        return world.bought(1)

    @pytest.mark.parametrize("idle", [timedelta(minutes=2), timedelta(days=3)])
    def test_an_event_that_was_moved_decides_by_its_new_start(
        self, world: World, booking: Booking, idle: timedelta
    ) -> None:
        moved = {"refunded": timedelta(hours=25), "not refunded": timedelta(hours=2)}
        world.after(seconds=idle.total_seconds())
        other = world.bought(2)
        for (outcome, ahead), each in zip(moved.items(), (booking, other), strict=True):
            world.catalog.event_now = evolve(HAMLET, starts_at=world.now + ahead)
            world.after(minutes=2)
            cancelled = world.cancelled(each)
            assert (cancelled.status, is_refunded(cancelled)) == (Status.CANCELLED, outcome == "refunded")
            assert world.note(each) == ""

    def test_an_event_that_was_moved_into_the_past_is_over(self, world: World, booking: Booking) -> None:
        world.catalog.event_now = evolve(HAMLET, starts_at=world.now - timedelta(hours=1))
        world.after(minutes=2)
        with pytest.raises(BookingNotCancellable):
            world.cancelled(booking)

    def test_an_event_that_has_not_started_after_all_can_be_cancelled(self, world: World, booking: Booking) -> None:
        world.after(days=31)
        world.catalog.event_now = evolve(HAMLET, starts_at=START + timedelta(days=10))
        assert is_refunded(world.cancelled(booking))

    @pytest.mark.parametrize("idle", [timedelta(minutes=2), timedelta(days=3)])
    def test_without_an_answer_the_known_start_decides_and_the_history_says_so(
        self, world: World, booking: Booking, idle: timedelta
    ) -> None:
        world.catalog.event_error = CatalogUnavailable()
        world.after(seconds=idle.total_seconds())
        assert is_refunded(world.cancelled(booking))
        assert world.note(booking) == (
            "decided by the start 2030-01-31T12:00Z as known on 2030-01-01T12:00Z: no answer of the Catalog"
        )

    def test_a_slow_catalog_is_waited_for_a_second_at_most(self, world: World, booking: Booking) -> None:
        world.catalog.may_answer.clear()
        world.after(minutes=2)
        assert world.cancelled(booking).status is Status.CANCELLED
        assert "no answer" in world.note(booking)

    def test_seats_that_cannot_be_read_do_not_keep_the_new_start(self, world: World, booking: Booking) -> None:
        world.catalog.event_now = evolve(HAMLET, starts_at=world.now + timedelta(hours=2))
        world.catalog.seats_error = CatalogUnavailable()
        world.after(minutes=2)
        assert not is_refunded(world.cancelled(booking))
        assert world.note(booking) == "", "the start is as the Catalog has it now"

    def test_what_does_not_depend_on_the_start_asks_nothing(self, world: World, booking: Booking) -> None:
        pending = world.buy(3)
        asked = world.catalog.asked
        world.cancelled(booking)
        world.after(minutes=2)
        world.cancelled(pending)
        world.cancelled(booking)
        stranger = CancelBooking(user_id="x", booking_id=booking.booking_id, correlation_id="c")
        with pytest.raises(BookingError):
            cancel(stranger, store=world.store, catalog_cache=world.cache)
        assert world.catalog.asked == asked


def test_made_up_ids_are_asked_for_once(world: World) -> None:
    event_id = uuid4()
    for _ in range(3):
        with pytest.raises(EventNotFound):
            get_event(event_id, store=world.store, catalog_cache=world.cache)
    assert world.catalog.asked == 1


def test_no_more_events_wait_for_the_background_than_may(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("booking_core.application.catalog_cache._MOST_REFRESHING", 2)
    events = [uuid4() for _ in range(5)]
    for event_id in events:
        world.cache.refresh_later(event_id)
    assert len(world.later) == 2
    for job in world.later:
        job()
    world.cache.refresh_later(events[4])
    assert len(world.later) == 3
