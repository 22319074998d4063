"""End a booking on behalf of an operator: cancel it with a decision on the refund, or release a hold."""

from collections.abc import Callable
from uuid import UUID

from booking_core.application.catalog_cache import CatalogCache
from booking_core.application.retries import in_unit_of_work
from booking_core.application.system_runtime import SYSTEM_RUNTIME
from booking_core.domain.booking import Booking
from booking_core.domain.commands import CancelByOperator, ReleaseHold
from booking_core.domain.errors import BookingNotFound
from booking_core.domain.values import RefundChoice
from booking_core.ports.bookings import LockedBooking
from booking_core.ports.runtime import Runtime
from booking_core.ports.store import Store
from booking_core.ports.unit_of_work import UnitOfWork


def cancel_by_operator(
    command: CancelByOperator,
    *,
    store: Store,
    catalog_cache: CatalogCache | None = None,
    runtime: Runtime = SYSTEM_RUNTIME,
) -> Booking:
    """Cancel any PENDING or CONFIRMED booking, also after the start of its event, and return it.

    The refund is as the command says; for the policy the start as the Catalog has it now decides, or the one that is
    known if the Catalog does not answer. If the event was cancelled and this booking not yet, it ends with the event.
    A repeat changes nothing. Raises BookingNotFound, PaymentInProgress, BookingNotCancellable, ServiceBusy,
    CatalogUnavailable.
    """
    if catalog_cache is not None and command.refund is RefundChoice.POLICY:
        snapshot = store.reads.booking(command.booking_id)
        if snapshot is not None:
            catalog_cache.ensure_fresh(snapshot.booking.event_id)

    def verb(locked: LockedBooking) -> None:
        if locked.event_is_closed and locked.booking.cancel_for_event(locked.now, command.cause):
            return
        locked.booking.cancel_by_operator(
            locked.now, locked.event_starts_at, command.refund, command.reason, command.cause
        )

    return _changed(command.booking_id, verb, store, runtime)


def release_hold(command: ReleaseHold, *, store: Store, runtime: Runtime = SYSTEM_RUNTIME) -> Booking:
    """End the hold of a PENDING booking, so that its seats are free at once, and return it.

    A hold whose time is over is ended as EXPIRED instead. Raises BookingNotFound, PaymentInProgress,
    BookingNotCancellable if the booking is no hold, ServiceBusy.
    """

    def verb(locked: LockedBooking) -> None:
        if not locked.booking.expire(locked.now, command.cause):
            locked.booking.release(locked.now, command.reason, command.cause)

    return _changed(command.booking_id, verb, store, runtime)


def _changed(booking_id: UUID, verb: Callable[[LockedBooking], None], store: Store, runtime: Runtime) -> Booking:
    def work(uow: UnitOfWork) -> Booking:
        locked = uow.bookings.lock(booking_id).get(booking_id)
        if locked is None:
            raise BookingNotFound()
        verb(locked)
        uow.bookings.save(locked.booking)
        uow.commit()
        return locked.booking

    return in_unit_of_work(store, work, runtime=runtime)
