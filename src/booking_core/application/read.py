"""Read bookings, events and seats. Customers see the effective status: an overdue hold is CANCELLED, written or not."""

from collections.abc import Sequence
from uuid import UUID

from attrs import frozen

from booking_core.application.catalog_cache import CatalogCache
from booking_core.domain.booking import Booking
from booking_core.domain.errors import BookingNotFound, EventNotFound, Failure
from booking_core.domain.history import HistoryEntry
from booking_core.domain.lifecycle import Status
from booking_core.ports.reads import KnownEvent, Page, Paged, SeatOnMap
from booking_core.ports.store import Store


@frozen(kw_only=True)
class SeatMap:
    """An event and all its seats, in reading order; `version` as in `booking_core.ports.SeatList`."""

    event: KnownEvent
    seats: Sequence[SeatOnMap]
    version: int | None = None


def get_booking(user_id: str, booking_id: UUID, *, store: Store) -> Booking:
    """One booking of this user. Raises BookingNotFound, also for another user's booking."""
    snapshot = store.reads.booking(booking_id)
    if snapshot is None or snapshot.booking.user_id != user_id:
        raise BookingNotFound()
    return snapshot.booking


def list_bookings(user_id: str, status: Status | None, page: Page, *, store: Store) -> Paged[Booking]:
    """This user's bookings of that status (None: of any), newest first, and their number."""
    return store.reads.bookings_of(user_id, status, page)


def show_booking(booking_id: UUID, *, store: Store) -> tuple[Booking, Sequence[HistoryEntry]]:
    """Any booking with its history, for operators. Raises BookingNotFound."""
    snapshot = store.reads.booking(booking_id)
    if snapshot is None:
        raise BookingNotFound()
    return snapshot.booking, store.reads.history(booking_id)


def list_events(page: Page, *, store: Store) -> Paged[KnownEvent]:
    """Known events, by start."""
    return store.reads.events(page)


def get_event(event_id: UUID, *, store: Store, catalog_cache: CatalogCache | None = None) -> KnownEvent:
    """One event, fetched from the Catalog if it is unknown. Raises EventNotFound, CatalogUnavailable, ServiceBusy."""
    known = store.reads.event(event_id)
    if catalog_cache is not None and known is None:
        known = _loaded(event_id, store, catalog_cache)
    if known is None:
        raise EventNotFound()
    if catalog_cache is not None and not catalog_cache.is_fresh(known):
        catalog_cache.refresh_later(event_id)
    return known


def list_seats(event_id: UUID, *, store: Store, catalog_cache: CatalogCache | None = None) -> SeatMap:
    """All seats of an event with their public status. Raises EventNotFound, CatalogUnavailable, ServiceBusy."""
    known = get_event(event_id, store=store, catalog_cache=catalog_cache)
    if catalog_cache is None or known.complete or known.age_seconds is None:
        return _seat_map(known, store)
    try:
        catalog_cache.ensure_loaded(event_id)
    except Failure:
        # Some seats are better than none: only an event without seats needs the Catalog.
        seat_map = _seat_map(known, store)
        if not seat_map.seats:
            raise
        return seat_map
    return _seat_map(known, store)


def _seat_map(known: KnownEvent, store: Store) -> SeatMap:
    found = store.reads.seats(known.event.event_id)
    return SeatMap(event=known, seats=found.seats, version=found.version)


def _loaded(event_id: UUID, store: Store, catalog_cache: CatalogCache) -> KnownEvent | None:
    """Fetch an unknown event. It is known even if its seats could not be read."""
    try:
        catalog_cache.ensure_loaded(event_id)
    except Failure:
        known = store.reads.event(event_id)
        if known is None:
            raise
        return known
    return store.reads.event(event_id)
