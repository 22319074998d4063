"""A catalog that nobody feeds: only what was loaded into the store is known."""

from collections.abc import Collection, Iterable, Sequence
from uuid import UUID

from booking_core.ports import Finding, Grade, Workload
from booking_core.values import Seat, TicketedEvent


class StoredCatalog:
    """`Catalog` that knows nothing by itself, for those who have no Catalog Service and load files."""

    def event(self, event_id: UUID) -> TicketedEvent | None:
        return None

    def seats(self, event: TicketedEvent, seat_ids: Collection[UUID] | None = None) -> Sequence[Seat] | None:
        return None

    def diagnose(self, workload: Workload) -> Iterable[Finding]:
        """See `booking_core.ports.Diagnosis`."""
        yield Finding(
            check="catalog", grade=Grade.OK, found="none: what was loaded into the store is all that is known"
        )

    def close(self) -> None:
        """Nothing to let go of."""
