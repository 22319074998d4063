"""What the domain needs from the world. Each port promises in its docstrings what an adapter must keep;
`booking_core.contracts` checks the promises.
"""

from booking_core.ports.catalog import Catalog, CatalogAnswerInvalid
from booking_core.ports.event_bus import Delivery, EventBus, Message, Subscription
from booking_core.ports.queries import (
    CancellationPreview,
    EventMirror,
    Page,
    Paged,
    Queries,
    SeatOnMap,
    Snapshot,
    Statistics,
)
from booking_core.ports.repositories import (
    BookingRepository,
    Closure,
    EventRepository,
    IdempotencyKeys,
    Inbox,
    LockedBooking,
    LockedSeats,
    Sweep,
)
from booking_core.ports.store import EventSelection, Outbox, OutboxRecord, Store, UnitOfWork

__all__ = [
    "BookingRepository",
    "CancellationPreview",
    "Catalog",
    "CatalogAnswerInvalid",
    "Closure",
    "Delivery",
    "EventBus",
    "EventMirror",
    "EventRepository",
    "EventSelection",
    "IdempotencyKeys",
    "Inbox",
    "LockedBooking",
    "LockedSeats",
    "Message",
    "Outbox",
    "OutboxRecord",
    "Page",
    "Paged",
    "Queries",
    "SeatOnMap",
    "Snapshot",
    "Statistics",
    "Store",
    "Subscription",
    "Sweep",
    "UnitOfWork",
]
