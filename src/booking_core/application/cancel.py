"""Cancel a customer's booking (US-03)."""

from datetime import timedelta

from booking_core.application.catalog_cache import CatalogCache
from booking_core.application.retries import in_unit_of_work
from booking_core.application.system_runtime import SYSTEM_RUNTIME
from booking_core.domain.booking import Booking
from booking_core.domain.commands import CancelBooking
from booking_core.domain.errors import BookingNotFound
from booking_core.domain.lifecycle import Status
from booking_core.ports.bookings import LockedBooking
from booking_core.ports.runtime import Runtime
from booking_core.ports.store import Store
from booking_core.ports.unit_of_work import UnitOfWork


def cancel(
    command: CancelBooking,
    *,
    store: Store,
    catalog_cache: CatalogCache | None = None,
    runtime: Runtime = SYSTEM_RUNTIME,
) -> Booking:
    """Cancel the booking and return it; its seats are free at once, and BR-04 decides about a refund.

    The start of the event decides as the Catalog has it now. If it does not answer within a second, the start that is
    known decides, and the history says so. If the event was cancelled and this booking not yet, it ends with the event
    and every payment is refunded. A repeat changes nothing and returns the booking. Raises BookingNotFound (also for
    another customer's booking), PaymentInProgress, BookingNotCancellable, ServiceBusy; CatalogUnavailable if too many
    callers wait for the Catalog.
    """
    note = "" if catalog_cache is None else _note_about_the_start(command, store, catalog_cache)

    def work(uow: UnitOfWork) -> Booking:
        locked = uow.bookings.lock(command.booking_id).get(command.booking_id)
        if locked is None or locked.booking.user_id != command.user_id:
            raise BookingNotFound()
        _cancel(locked, command, note)
        uow.bookings.save(locked.booking)
        uow.commit()
        return locked.booking

    return in_unit_of_work(store, work, runtime=runtime)


def _cancel(locked: LockedBooking, command: CancelBooking, note: str) -> None:
    if locked.event_is_closed and locked.booking.cancel_for_event(locked.now, command.cause):
        return
    locked.booking.cancel(locked.now, locked.event_starts_at, command.cause, note)


def _note_about_the_start(command: CancelBooking, store: Store, catalog_cache: CatalogCache) -> str:
    """Ask for the start of the event if it decides; the note is empty if the start is as the Catalog has it now."""
    snapshot = store.reads.booking(command.booking_id)
    if snapshot is None or snapshot.booking.user_id != command.user_id:
        return ""
    booking = snapshot.booking
    if booking.status is not Status.CONFIRMED or catalog_cache.ensure_fresh(booking.event_id):
        return ""
    known = store.reads.event(booking.event_id)
    if known is None or known.age_seconds is None:
        return ""
    since = snapshot.now - timedelta(seconds=known.age_seconds)
    start = known.event.starts_at
    return f"decided by the start {start:%Y-%m-%dT%H:%MZ} as known on {since:%Y-%m-%dT%H:%MZ}: no answer of the Catalog"
