"""What the domain needs from the world. Each port promises in its docstrings what an adapter must keep;
`booking_core.contracts` checks the promises.
"""

from booking_core.domain.events import BookingEvent, DomainEvent, EventCancelled
from booking_core.domain.reservation import ReservationFacts, SeatRequest
from booking_core.ports.catalog import Catalog, CatalogAnswerInvalid
from booking_core.ports.diagnosis import (
    ConnectionUse,
    Diagnosis,
    Finding,
    Grade,
    HasBreaker,
    LendsConnections,
    Workload,
)
from booking_core.ports.event_bus import Delivery, EventBus, Message, Subscription
from booking_core.ports.reads import (
    Backlogs,
    CancellationPreview,
    KnownEvent,
    Page,
    Paged,
    Queries,
    SeatOnMap,
    Snapshot,
    Statistics,
)
from booking_core.ports.runtime import Flag, Lock, Runtime, Thread
from booking_core.ports.store import EventSelection, Outbox, OutboxRecord, Store, UnitOfWork
from booking_core.ports.unit_of_work import (
    BookingRepository,
    Closure,
    EventRepository,
    ExpiryResult,
    IdempotencyKeys,
    Inbox,
    LockedBooking,
    LockedSeats,
)

__all__ = [
    "Backlogs",
    "BookingEvent",
    "BookingRepository",
    "CancellationPreview",
    "Catalog",
    "CatalogAnswerInvalid",
    "Closure",
    "ConnectionUse",
    "Delivery",
    "Diagnosis",
    "DomainEvent",
    "EventBus",
    "EventCancelled",
    "EventRepository",
    "EventSelection",
    "ExpiryResult",
    "Finding",
    "Flag",
    "Grade",
    "HasBreaker",
    "IdempotencyKeys",
    "Inbox",
    "KnownEvent",
    "LendsConnections",
    "Lock",
    "LockedBooking",
    "LockedSeats",
    "Message",
    "Outbox",
    "OutboxRecord",
    "Page",
    "Paged",
    "Queries",
    "ReservationFacts",
    "Runtime",
    "SeatOnMap",
    "SeatRequest",
    "Snapshot",
    "Statistics",
    "Store",
    "Subscription",
    "Thread",
    "UnitOfWork",
    "Workload",
]
