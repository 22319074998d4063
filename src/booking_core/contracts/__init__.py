"""The contract suites: what an adapter of our ports must keep, as tests that its author runs.

They are plain classes with asserts and import no test framework. Each test method takes one argument, a harness made
for that test alone (`harness.py` says what it must do). Under pytest, a third store needs these lines, and no more:

    import pytest

    pytest.register_assert_rewrite("booking_core.contracts")
    from booking_core.contracts import STORE_CONTRACTS

    @pytest.fixture
    def store_harness():
        harness = MyStoreHarness()  # an empty store, its clock, its outbox
        yield harness
        harness.close()

    globals().update({f"Test{suite.__name__}": suite for suite in STORE_CONTRACTS})

An event bus is tried the same way: EVENT_BUS_CONTRACTS, and a fixture called `event_bus_harness`. Any other runner may
make an instance of each class, and call each method whose name starts with `test_` with a fresh harness. Asserts must
be on (no `python -O`). The suites use several threads, wait out bounded lock waits, and leave no thread behind.
"""

from typing import Final

from booking_core.contracts.event_bus.backlog import BacklogContract
from booking_core.contracts.event_bus.delivery import EventBusContract
from booking_core.contracts.harness import EventBusHarness, StoreHarness
from booking_core.contracts.store.aliasing import AliasingContract
from booking_core.contracts.store.claims import ClaimsContract
from booking_core.contracts.store.closures import ClosuresContract
from booking_core.contracts.store.concurrency import ConcurrencyContract
from booking_core.contracts.store.duplicates import IdempotencyContract, InboxContract
from booking_core.contracts.store.events import EventsContract
from booking_core.contracts.store.expiry import ExpiryContract
from booking_core.contracts.store.isolation import IsolationContract, StaleRevisionContract
from booking_core.contracts.store.outbox import OutboxContract
from booking_core.contracts.store.payments import PaymentsContract
from booking_core.contracts.store.pruning import PruningContract
from booking_core.contracts.store.reads import ReadsContract
from booking_core.contracts.store.reservations import ReservationsContract
from booking_core.contracts.store.statistics import StatisticsContract
from booking_core.contracts.store.stored_events import StoredEventsContract
from booking_core.contracts.store.tickets import TicketsContract

STORE_CONTRACTS: Final[tuple[type, ...]] = (
    AliasingContract,
    ClaimsContract,
    ClosuresContract,
    ConcurrencyContract,
    EventsContract,
    ExpiryContract,
    IdempotencyContract,
    InboxContract,
    IsolationContract,
    OutboxContract,
    PaymentsContract,
    PruningContract,
    ReadsContract,
    ReservationsContract,
    StaleRevisionContract,
    StatisticsContract,
    StoredEventsContract,
    TicketsContract,
)
"""Every suite of the store; their tests take `store_harness`."""

EVENT_BUS_CONTRACTS: Final[tuple[type, ...]] = (EventBusContract, BacklogContract)
"""Every suite of the event bus; their tests take `event_bus_harness`."""

__all__ = ["EVENT_BUS_CONTRACTS", "STORE_CONTRACTS", "EventBusHarness", "StoreHarness"]
