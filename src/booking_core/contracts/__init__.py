"""The contract suites: tests that the author of an adapter runs. May import domain, ports, messages and application.

The suites are plain classes with asserts and import no test framework. Each test method takes one argument, a harness
created for that test alone (`harness.py` defines it). Under pytest, a third store needs these lines and no more:

    import pytest

    pytest.register_assert_rewrite("booking_core.contracts")
    from booking_core.contracts import STORE_CONTRACTS

    @pytest.fixture
    def store_harness():
        harness = MyStoreHarness()  # an empty store, its clock, its outbox
        yield harness
        harness.close()

    globals().update({f"Test{suite.__name__}": suite for suite in STORE_CONTRACTS})

An event bus is tested the same way: EVENT_BUS_CONTRACTS, and a fixture called `event_bus_harness`; a catalog with
CATALOG_CONTRACTS, and a fixture called `catalog_of`: a function that creates a catalog. Another runner may
create an instance of each class and call each method whose name starts with `test_` with a new harness. Asserts must be
enabled (no `python -O`). The suites use several threads, wait out bounded lock waits, and leave no thread behind.
"""

from typing import Final

from booking_core.contracts.catalog import CatalogContract
from booking_core.contracts.event_bus.backlog import BacklogContract
from booking_core.contracts.event_bus.delivery import EventBusContract
from booking_core.contracts.event_bus.failures import FailuresContract
from booking_core.contracts.event_bus.members import MembersContract
from booking_core.contracts.groups.keys import GroupKeysContract
from booking_core.contracts.groups.locks import GroupLocksContract
from booking_core.contracts.groups.outcomes import GroupsContract
from booking_core.contracts.harness import EventBusHarness, StoreHarness
from booking_core.contracts.store.claims import ClaimsContract
from booking_core.contracts.store.closures import ClosuresContract
from booking_core.contracts.store.concurrency import AliasingContract, ConcurrencyContract
from booking_core.contracts.store.customers import CustomersContract
from booking_core.contracts.store.duplicates import IdempotencyContract
from booking_core.contracts.store.events import EventsContract
from booking_core.contracts.store.expiry import ExpiryContract
from booking_core.contracts.store.inbox import InboxContract
from booking_core.contracts.store.isolation import IsolationContract, StaleRevisionContract
from booking_core.contracts.store.operators import OperatorReadsContract
from booking_core.contracts.store.outbox import OutboxContract
from booking_core.contracts.store.payments import PaymentsContract
from booking_core.contracts.store.reads import ReadsContract, TicketsContract
from booking_core.contracts.store.reservations import ReservationsContract
from booking_core.contracts.store.stored_events import StoredEventsContract
from booking_core.contracts.store.upkeep import HealthContract, PruningContract, StatisticsContract

STORE_CONTRACTS: Final[tuple[type, ...]] = (
    AliasingContract,
    ClaimsContract,
    ClosuresContract,
    ConcurrencyContract,
    CustomersContract,
    EventsContract,
    ExpiryContract,
    GroupKeysContract,
    GroupLocksContract,
    GroupsContract,
    HealthContract,
    IdempotencyContract,
    InboxContract,
    IsolationContract,
    OperatorReadsContract,
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

EVENT_BUS_CONTRACTS: Final[tuple[type, ...]] = (
    EventBusContract,
    BacklogContract,
    FailuresContract,
    MembersContract,
)
"""Every suite of the event bus; their tests take `event_bus_harness`."""

CATALOG_CONTRACTS: Final[tuple[type, ...]] = (CatalogContract,)
"""Every suite of the catalog; their tests take `catalog_of`."""

__all__ = ["CATALOG_CONTRACTS", "EVENT_BUS_CONTRACTS", "STORE_CONTRACTS", "EventBusHarness", "StoreHarness"]
