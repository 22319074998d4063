"""The ports: protocols that adapters implement, and the values that pass through them. May import domain and messages.

The docstrings are the contract of an adapter: order, absence, conflicts, atomicity, errors. `booking_core.contracts`
checks them.
"""

from booking_core.domain.events import BookingEvent, DomainEvent, EventCancelled
from booking_core.domain.group import Deferral, MemberFacts
from booking_core.domain.reservation import ReservationFacts, SeatRequest, StoredResponse
from booking_core.domain.values import in_reading_order
from booking_core.ports.bookings import BookingRepository, ExpiryResult, LockedBooking, LockedSeats, NewBooking
from booking_core.ports.catalog import Catalog, CatalogAnswerInvalid
from booking_core.ports.customers import CustomerRepository
from booking_core.ports.diagnosis import Diagnosis, Finding, Grade, Workload
from booking_core.ports.event_bus import Delivery, EventBus, Message, Subscription
from booking_core.ports.groups import EventLoopStore, GroupStore, GroupTransaction, RunInThread
from booking_core.ports.operators import BookingSelection, OperatorReads, SeatPlace
from booking_core.ports.outbox import EventSelection, Outbox, OutboxRecord
from booking_core.ports.reads import (
    Backlogs,
    CancellationPreview,
    KnownEvent,
    Page,
    Paged,
    Reads,
    SeatList,
    SeatOnMap,
    Snapshot,
    Statistics,
)
from booking_core.ports.runtime import Flag, Lock, Runtime, Thread
from booking_core.ports.store import Store
from booking_core.ports.unit_of_work import Closure, EventRepository, Inbox, Receipt, StoredResponses, UnitOfWork
from booking_core.ports.upkeep import ConnectionUse, Health, HealthKind, Pruned, Upkeep, WriteCheck

__all__ = [
    "Backlogs",
    "BookingEvent",
    "BookingRepository",
    "BookingSelection",
    "CancellationPreview",
    "Catalog",
    "CatalogAnswerInvalid",
    "Closure",
    "ConnectionUse",
    "CustomerRepository",
    "Deferral",
    "Delivery",
    "Diagnosis",
    "DomainEvent",
    "EventBus",
    "EventCancelled",
    "EventLoopStore",
    "EventRepository",
    "EventSelection",
    "ExpiryResult",
    "Finding",
    "Flag",
    "Grade",
    "GroupStore",
    "GroupTransaction",
    "Health",
    "HealthKind",
    "Inbox",
    "KnownEvent",
    "Lock",
    "LockedBooking",
    "LockedSeats",
    "MemberFacts",
    "Message",
    "NewBooking",
    "OperatorReads",
    "Outbox",
    "OutboxRecord",
    "Page",
    "Paged",
    "Pruned",
    "Reads",
    "Receipt",
    "ReservationFacts",
    "RunInThread",
    "Runtime",
    "SeatList",
    "SeatOnMap",
    "SeatPlace",
    "SeatRequest",
    "Snapshot",
    "Statistics",
    "Store",
    "StoredResponse",
    "StoredResponses",
    "Subscription",
    "Thread",
    "UnitOfWork",
    "Upkeep",
    "Workload",
    "WriteCheck",
    "in_reading_order",
]
