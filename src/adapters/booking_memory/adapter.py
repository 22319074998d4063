"""What the entry points of the distribution name: each makes one port from settings."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from uuid import UUID

from booking_core.domain.values import Seat, TicketedEvent
from booking_core.ports import Finding, Grade, Workload
from booking_memory.bus import MemoryEventBus
from booking_memory.store import MemoryStore


class StoredCatalog:
    """`Catalog` that knows nothing by itself, for those who have no Catalog Service and load files."""

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
        """Nothing to let go of."""


def create_store(settings: Mapping[str, str]) -> MemoryStore:
    """An empty store on the computer's clock; it heeds BOOKING_IDEMPOTENCY_HOURS."""
    return MemoryStore(idempotency_hours=float(settings.get("BOOKING_IDEMPOTENCY_HOURS", "24")))


def create_event_bus(settings: Mapping[str, str]) -> MemoryEventBus:
    """A bus for this process alone, without topics."""
    return MemoryEventBus()


def create_catalog(settings: Mapping[str, str]) -> StoredCatalog:
    """The catalog that knows only what was loaded."""
    return StoredCatalog()
