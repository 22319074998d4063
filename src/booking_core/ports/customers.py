"""Customers behind bookings, within a unit of work: for replacing a user's id by a pseudonym."""

from collections.abc import Sequence
from typing import Protocol

from booking_core.ports.bookings import LockedBooking


class CustomerRepository(Protocol):
    """The users of a store, in the order of locks before all bookings."""

    def lock(self, user_id: str) -> Sequence[LockedBooking]:
        """Lock the user, known or not, then all bookings of the user, and return them sorted by id.

        Until the unit of work ends, no reservation of this user can be made. Raises ServiceBusy after a bounded wait.
        """
        ...

    def rename(self, user_id: str, pseudonym: str) -> None:
        """Replace the id of a locked user at commit, after everything that this unit of work saves.

        It is replaced in the bookings and in the history where the user is the actor, in the stored events of these
        bookings, published or not, in idempotency keys and in their responses, where it is a JSON string of its own.
        Nothing else changes. Afterwards the store does not know the user.
        """
        ...
