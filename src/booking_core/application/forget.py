"""Forget a user: the id is replaced by a pseudonym; bookings, history and money stay (GDPR, article 17)."""

from attrs import field, frozen

from booking_core.application.retries import in_unit_of_work
from booking_core.application.system_runtime import SYSTEM_RUNTIME
from booking_core.domain.errors import CustomerHasLiveBooking
from booking_core.domain.identity import new_id
from booking_core.domain.lifecycle import ON_HOLD, Status
from booking_core.domain.values import ActorKind, Cause, is_text
from booking_core.ports.bookings import LockedBooking
from booking_core.ports.runtime import Runtime
from booking_core.ports.store import Store
from booking_core.ports.unit_of_work import UnitOfWork


@frozen(kw_only=True)
class ForgetUser:
    """Replace the user's id by a pseudonym, on behalf of an administrator."""

    user_id: str = field(validator=is_text)
    administrator: str = field(validator=is_text)
    correlation_id: str = field(validator=is_text)


@frozen(kw_only=True)
class ForgottenUser:
    """The pseudonym, and the number of bookings that have it now."""

    pseudonym: str
    bookings: int


def forget(command: ForgetUser, *, store: Store, runtime: Runtime = SYSTEM_RUNTIME) -> ForgottenUser:
    """Replace the user's id everywhere in the store, in one transaction; overdue holds are ended first.

    The pseudonym is random: nothing leads from the id to it. What was published before keeps the id. A user who
    reserves afterwards is a new one. Raises CustomerHasLiveBooking (nothing has changed), ServiceBusy.
    """
    pseudonym = f"forgotten:{new_id(store.reads.now())}"
    cause = Cause(actor=ActorKind.ADMINISTRATOR, actor_id=command.administrator, correlation_id=command.correlation_id)

    def work(uow: UnitOfWork) -> ForgottenUser:
        locked = uow.customers.lock(command.user_id)
        for each in locked:
            each.booking.expire(each.now, cause)
        if live := [str(each.booking.booking_id) for each in locked if _is_live(each)]:
            raise CustomerHasLiveBooking(details={"bookingIds": live})
        for each in locked:
            uow.bookings.save(each.booking)
        uow.customers.rename(command.user_id, pseudonym)
        uow.commit()
        return ForgottenUser(pseudonym=pseudonym, bookings=len(locked))

    return in_unit_of_work(store, work, runtime=runtime)


def _is_live(locked: LockedBooking) -> bool:
    """Whether the user waits for something: a payment, or an event that has not started."""
    if locked.booking.status is not Status.CONFIRMED:
        return locked.booking.status in ON_HOLD
    return locked.event_starts_at is None or locked.event_starts_at > locked.now
