"""What the entry points of the distribution name: each makes one port from settings."""

from collections.abc import Mapping

from booking_memory.bus import MemoryEventBus
from booking_memory.catalog import StoredCatalog
from booking_memory.store import MemoryStore


def create_store(settings: Mapping[str, str]) -> MemoryStore:
    """An empty store on the computer's clock; it heeds BOOKING_IDEMPOTENCY_HOURS."""
    return MemoryStore(idempotency_hours=float(settings.get("BOOKING_IDEMPOTENCY_HOURS", "24")))


def create_event_bus(settings: Mapping[str, str]) -> MemoryEventBus:
    """A bus for this process alone, without topics."""
    return MemoryEventBus()


def create_catalog(settings: Mapping[str, str]) -> StoredCatalog:
    """The catalog that knows only what was loaded."""
    return StoredCatalog()
