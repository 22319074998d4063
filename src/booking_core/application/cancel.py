"""Cancel a customer's booking (US-03)."""

from booking_core.application.retries import in_unit_of_work
from booking_core.application.system_runtime import SYSTEM_RUNTIME
from booking_core.domain.booking import Booking
from booking_core.domain.commands import CancelBooking
from booking_core.domain.errors import BookingNotFound
from booking_core.ports.bookings import LockedBooking
from booking_core.ports.runtime import Runtime
from booking_core.ports.store import Store
from booking_core.ports.unit_of_work import UnitOfWork


def cancel(command: CancelBooking, *, store: Store, runtime: Runtime = SYSTEM_RUNTIME) -> Booking:
    """Cancel the booking and return it; its seats are free at once, and BR-04 decides about a refund.

    If the event was cancelled and this booking not yet, it ends with the event and every payment is refunded. A repeat
    changes nothing and returns the booking. Raises BookingNotFound (also for another customer's booking),
    PaymentInProgress, BookingNotCancellable, ServiceBusy.
    """

    def work(uow: UnitOfWork) -> Booking:
        locked = uow.bookings.lock(command.booking_id).get(command.booking_id)
        if locked is None or locked.booking.user_id != command.user_id:
            raise BookingNotFound()
        _cancel(locked, command)
        uow.bookings.save(locked.booking)
        uow.commit()
        return locked.booking

    return in_unit_of_work(store, work, runtime=runtime)


def _cancel(locked: LockedBooking, command: CancelBooking) -> None:
    if locked.event_is_closed and locked.booking.cancel_for_event(locked.now, command.cause):
        return
    locked.booking.cancel(locked.now, locked.event_starts_at, command.cause)
