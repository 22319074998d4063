"""The factories that the entry points name: each creates one adapter from settings."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from uuid import UUID

from booking_core.domain.values import Seat, TicketedEvent
from booking_core.ports import Finding, Grade, Workload
from booking_memory.bus import MemoryEventBus
from booking_memory.store import MemoryStore


class StoredCatalog:
    """A `Catalog` without events, for services without a Catalog Service that load files into the store."""

    def event(self, event_id: UUID) -> TicketedEvent | None:
        return None

    def seats(self, event: TicketedEvent, seat_ids: Collection[UUID] | None = None) -> Sequence[Seat] | None:
        return None

    @property
    def breaker_state(self) -> None:
        """None: there is no circuit breaker."""
        return None

    def diagnose(self, workload: Workload) -> Iterable[Finding]:
        """See `booking_core.ports.Diagnosis`."""
        yield Finding(
            check="catalog", grade=Grade.OK, found="none: what was loaded into the store is all that is known"
        )

    def close(self) -> None:
        """Do nothing: nothing is open."""


def create_store(settings: Mapping[str, str]) -> MemoryStore:
    """Create an empty store on the computer's clock; uses BOOKING_IDEMPOTENCY_HOURS."""
    return MemoryStore(idempotency_hours=float(settings.get("BOOKING_IDEMPOTENCY_HOURS", "24")))


def create_event_bus(settings: Mapping[str, str]) -> MemoryEventBus:
    """Create an event bus for this process alone, without topics."""
    return MemoryEventBus()


def create_catalog(settings: Mapping[str, str]) -> StoredCatalog:
    """Create the catalog without events."""
    return StoredCatalog()
