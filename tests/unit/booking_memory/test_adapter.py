"""The entry points name factories that make the ports from settings."""

import tomllib
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from uuid import uuid4

from booking_core.domain.values import SaleStatus, TicketedEvent
from booking_core.ports import Catalog, EventBus, Store
from booking_memory.adapter import create_catalog, create_event_bus, create_store

PYPROJECT = Path(__file__).parents[3] / "pyproject.toml"


def test_the_entry_points_lead_to_these_factories() -> None:
    groups = tomllib.loads(PYPROJECT.read_text(encoding="utf-8"))["project"]["entry-points"]
    named = [value for group in groups.values() for value in group.values() if value.startswith("booking_memory")]
    found = {getattr(import_module(value.split(":")[0]), value.split(":")[1]) for value in named}

    assert found == {create_store, create_event_bus, create_catalog}


def test_each_makes_its_port() -> None:
    store: Store = create_store({"BOOKING_IDEMPOTENCY_HOURS": "1"})
    bus: EventBus = create_event_bus({})
    catalog: Catalog = create_catalog({})

    assert store.retries == 3
    assert store.reads.statistics().outbox == 0
    bus.publish("topic", [])
    catalog.close()


def test_the_stored_catalog_knows_nothing_by_itself() -> None:
    catalog = create_catalog({})
    event = TicketedEvent(
        event_id=uuid4(), name="Play", starts_at=datetime.now(UTC), status=SaleStatus.ON_SALE, currency="USD"
    )

    assert catalog.event(event.event_id) is None
    assert catalog.seats(event) is None
    assert catalog.seats(event, [uuid4()]) is None
