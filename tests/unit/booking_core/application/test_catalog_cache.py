"""The mirror of the Catalog: never on sale with prices of two currencies, whoever refreshes and whoever dies."""

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, cast
from uuid import UUID, uuid4

import pytest
from attrs import define, evolve, field

from booking_core import CatalogCache, Reserve, reserve
from booking_core.domain.errors import EventNotOnSale, ServiceBusy
from booking_core.domain.values import SaleStatus, Seat, TicketedEvent
from booking_core.ports import Store, UnitOfWork
from booking_memory.store import MemoryStore

NOW = datetime(2030, 1, 1, 12, tzinfo=UTC)
DOLLARS = TicketedEvent(
    event_id=uuid4(), name="Hamlet", starts_at=NOW + timedelta(days=30), status=SaleStatus.ON_SALE, currency="USD"
)
EUROS = evolve(DOLLARS, currency="EUR")
PRICES = {"USD": Decimal("75.00"), "EUR": Decimal("60.00")}
SEAT_IDS = sorted(uuid4() for _ in range(5))
STEPS = range(9)  # a refresh of five seats has no more transactions, two rows each


class Killed(BaseException):
    """The process that refreshes is gone."""


@define
class Catalogue:
    """Says `event`, with all seats at its currency's price; counts what it was asked."""

    event_now: TicketedEvent
    asked: int = 0

    @property
    def breaker_state(self) -> str | None:
        return None

    def event(self, event_id: UUID) -> TicketedEvent | None:
        self.asked += 1
        return self.event_now

    def seats(self, event: TicketedEvent, seat_ids: Collection[UUID] | None = None) -> Sequence[Seat]:
        wanted = SEAT_IDS if seat_ids is None else sorted(seat_ids)
        return [
            Seat(seat_id=each, row="A", number=SEAT_IDS.index(each), price=PRICES[event.currency]) for each in wanted
        ]

    def close(self) -> None:
        """Nothing to let go of."""


@define
class Stepping:
    """A store in which something happens before the n-th transaction, counted from nought."""

    store: MemoryStore
    happens: Callable[[int], None]
    _transactions: int = field(default=0, init=False)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.store, name)

    def unit_of_work(self) -> UnitOfWork:
        number, self._transactions = self._transactions, self._transactions + 1
        self.happens(number)
        return self.store.unit_of_work()


@define
class World:
    """One database, its clock, and what the Catalog says."""

    now: datetime = NOW
    catalog: Catalogue = field(factory=lambda: Catalogue(DOLLARS))
    store: MemoryStore = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.store = MemoryStore(lambda: self.now, lock_wait=0.1)

    def process(self, happens: Callable[[int], None] = lambda number: None) -> CatalogCache:
        """The mirror of one process."""
        store = cast("Store", Stepping(self.store, happens))
        return CatalogCache(store=store, catalog=self.catalog, rows_per_transaction=2)

    def check(self) -> None:
        """Fail if it is on sale with a price of another currency."""
        known = self.store.reads.event(DOLLARS.event_id)
        if known is not None and known.event.status is SaleStatus.ON_SALE:
            prices = {each.seat.price for each in self.store.reads.seats(DOLLARS.event_id).seats}
            assert prices <= {PRICES[known.event.currency]}, f"on sale in {known.event.currency} for {prices}"

    def is_settled(self, event: TicketedEvent) -> bool:
        known = self.store.reads.event(event.event_id)
        prices = [each.seat.price for each in self.store.reads.seats(event.event_id).seats]
        return known is not None and known.event == event and prices == [PRICES[event.currency]] * len(SEAT_IDS)

    def buy(self, catalog_cache: CatalogCache | None = None) -> Any:
        command = Reserve(user_id="ada", event_id=DOLLARS.event_id, seat_ids=(SEAT_IDS[0],), correlation_id="c")
        return reserve(command, store=self.store, catalog_cache=catalog_cache)


@pytest.fixture
def world() -> Iterator[World]:
    world = World()
    world.process().refresh(DOLLARS.event_id)
    assert world.is_settled(DOLLARS)
    yield world
    world.store.close()


class TestTheCurrencyChanges:
    def test_a_refresh_alone(self, world: World) -> None:
        world.catalog = Catalogue(EUROS)
        assert world.process(lambda number: world.check()).refresh(DOLLARS.event_id) == len(SEAT_IDS)

        assert world.is_settled(EUROS)

    @pytest.mark.parametrize("step", STEPS)
    @pytest.mark.parametrize("known", [True, False], ids=["known", "new"])
    def test_while_another_process_writes_what_it_was_told_before(self, known: bool, step: int) -> None:
        """The old answer's refresh is overtaken by the whole of the new one's, before each of its transactions."""
        world = World()
        if known:
            world.process().refresh(DOLLARS.event_id)

        def overtake(number: int) -> None:
            world.check()
            if number == step:
                world.catalog.event_now = EUROS
                world.process(lambda number: world.check()).refresh(DOLLARS.event_id)

        world.process(overtake).refresh(DOLLARS.event_id)
        world.check()
        world.process().refresh(DOLLARS.event_id)
        assert world.is_settled(world.catalog.event_now)

    @pytest.mark.parametrize("step", STEPS)
    @pytest.mark.parametrize("killed_at", STEPS)
    def test_while_another_process_dies_in_the_middle_of_it(self, world: World, killed_at: int, step: int) -> None:
        def die(number: int) -> None:
            world.check()
            if number == killed_at:
                raise Killed

        def overtake(number: int) -> None:
            world.check()
            if number == step:
                world.catalog.event_now = EUROS
                with suppress(Killed):
                    world.process(die).refresh(DOLLARS.event_id)

        world.process(overtake).refresh(DOLLARS.event_id)
        world.check()
        world.process(lambda number: world.check()).refresh(DOLLARS.event_id)
        assert world.is_settled(world.catalog.event_now)

    @pytest.mark.parametrize("killed_at", range(1, 5))
    def test_a_refresh_that_was_killed_halfway_leaves_nothing_to_buy(self, world: World, killed_at: int) -> None:
        world.catalog = Catalogue(EUROS)

        def die(number: int) -> None:
            if number == killed_at:
                raise Killed

        with pytest.raises(Killed):
            world.process(die).refresh(DOLLARS.event_id)

        with pytest.raises(EventNotOnSale):
            world.buy()
        world.process().refresh(DOLLARS.event_id)
        booking = world.buy()
        assert (booking.total.amount, booking.total.currency) == (PRICES["EUR"], "EUR")

    def test_again_and_again_is_busy_in_the_end(self, world: World) -> None:
        turns = iter([EUROS, DOLLARS] * 10)

        def change(number: int) -> None:
            world.catalog.event_now = next(turns)
            world.process().refresh(DOLLARS.event_id)

        with pytest.raises(ServiceBusy):
            world.process(change).refresh(DOLLARS.event_id)
        world.check()


class TestTheClockStepsBack:
    def test_what_seems_to_be_from_the_future_is_refreshed_behind_the_customers_back(self, world: World) -> None:
        world.now -= timedelta(seconds=5)
        asked = world.catalog.asked

        assert world.buy(world.process()).total.amount == PRICES["USD"]
        assert world.catalog.asked > asked
        assert world.store.reads.event(DOLLARS.event_id).age_seconds == 0  # type: ignore[union-attr]

    def test_by_hours_it_is_refreshed_before_it_is_sold(self, world: World) -> None:
        world.now -= timedelta(hours=2)
        world.catalog = Catalogue(EUROS)

        assert world.buy(world.process()).total.currency == "EUR"

    def test_what_is_fresh_is_left_alone(self, world: World) -> None:
        world.now += timedelta(seconds=30)
        asked = world.catalog.asked
        world.buy(world.process())

        assert world.catalog.asked == asked
