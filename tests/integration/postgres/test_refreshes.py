"""Processes that refresh the same event at once, while its currency changes: never on sale with prices of two."""

import threading
from collections.abc import Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from functools import partial
from uuid import UUID, uuid4

import pytest
from attrs import define, evolve

from booking_core import CatalogCache
from booking_core.contracts.store.fixture import in_parallel
from booking_core.domain.errors import ServiceBusy
from booking_core.domain.values import Seat, TicketedEvent
from tests.support.postgres.stage import Stage, open_store

PRICES = {"USD": Decimal("75.00"), "EUR": Decimal("60.00")}
PROCESSES = 4
# Of one statement, so of one moment.
_MIXED = """
    SELECT e.currency, array_agg(DISTINCT s.price) FROM booking.events e JOIN booking.seats s USING (slot, event_id)
    WHERE e.event_id = %s AND e.sale_status = 'ON_SALE' GROUP BY e.currency
    HAVING bool_or(s.price <> CASE e.currency WHEN 'USD' THEN 75.00 ELSE 60.00 END)
"""


@define
class Turncoat:
    """A Catalog whose event changes its currency whenever it was asked for it `every` times."""

    event_now: TicketedEvent
    seat_ids: Sequence[UUID]
    every: int
    _asked: int = 0

    @property
    def breaker_state(self) -> str | None:
        return None

    def event(self, event_id: UUID) -> TicketedEvent | None:
        self._asked += 1
        if self._asked % self.every == 0:
            self.event_now = evolve(self.event_now, currency="EUR" if self.event_now.currency == "USD" else "USD")
        return self.event_now

    def seats(self, event: TicketedEvent, seat_ids: Collection[UUID] | None = None) -> Sequence[Seat]:
        price = PRICES[event.currency]
        return [Seat(seat_id=each, row="A", number=n, price=price) for n, each in enumerate(self.seat_ids)]

    def close(self) -> None:
        """Nothing to let go of."""


@pytest.mark.parametrize("rounds", [6, pytest.param(100, marks=pytest.mark.soak)])
def test_refreshes_of_several_processes(stage: Stage, rounds: int) -> None:
    event = evolve(stage.fixture.event, event_id=uuid4())
    catalog = Turncoat(event, [uuid4() for _ in range(12)], every=3)
    stores = [open_store(stage.url, 1) for _ in range(PROCESSES)]
    mirrors = [CatalogCache(store=store, catalog=catalog, rows_per_transaction=3) for store in stores]
    over = threading.Event()

    def watch() -> list[object]:
        seen: list[object] = []
        while not over.is_set():
            seen += stage.door.execute(_MIXED, [event.event_id]).fetchall()
        return seen

    def refresh_again_and_again(catalog_cache: CatalogCache) -> int:
        done = 0
        for _ in range(rounds):
            try:
                done += catalog_cache.refresh(event.event_id) > 0
            except ServiceBusy:
                continue  # the others have changed the currency again and again
        return done

    with ThreadPoolExecutor(1) as watcher:
        watching = watcher.submit(watch)
        try:
            done = in_parallel([partial(refresh_again_and_again, catalog_cache) for catalog_cache in mirrors])
        finally:
            over.set()
        assert watching.result() == []

    catalog.every = 10**9
    mirrors[0].refresh(event.event_id)
    assert sum(each for each in done if isinstance(each, int)) > 0
    known = stores[0].reads.event(event.event_id)
    assert known is not None
    assert (known.event, known.complete) == (catalog.event_now, True)
    prices = {each.seat.price for each in stores[0].reads.seats(event.event_id).seats}
    assert prices == {PRICES[known.event.currency]}
    for store in stores:
        store.close()
