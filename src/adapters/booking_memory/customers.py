"""Customers within one transaction: the lock of a user and of all their bookings, and replacing a user's id."""

from collections.abc import Sequence
from json import dumps

from attrs import evolve

from booking_core.domain.values import ActorKind
from booking_core.messages.envelopes import with_user
from booking_core.ports import LockedBooking
from booking_memory.bookings import MemoryBookings
from booking_memory.locks import user_lock
from booking_memory.transaction import Transaction


class MemoryCustomers:
    """`CustomerRepository` within one transaction."""

    def __init__(self, transaction: Transaction, bookings: MemoryBookings) -> None:
        self._transaction, self._bookings = transaction, bookings

    def lock(self, user_id: str) -> Sequence[LockedBooking]:
        self._transaction.locks.take(user_lock(user_id))
        with self._transaction.reading():
            bookings = self._transaction.tables.bookings.values()
            ids = [booking.booking_id for booking in bookings if booking.user_id == user_id]
        locked = self._bookings.lock(*ids)
        return [locked[booking_id] for booking_id in sorted(locked)]

    def rename(self, user_id: str, pseudonym: str) -> None:
        with self._transaction.reading():
            tables = self._transaction.tables
            theirs = {each.booking_id: each for each in tables.bookings.values() if each.user_id == user_id}
            for booking_id, booking in theirs.items():
                tables.bookings[booking_id] = evolve(booking, user_id=pseudonym)
            for place, entry in list(tables.history.items()):
                if place[0] in theirs and entry.actor is ActorKind.CUSTOMER and entry.actor_id == user_id:
                    tables.history[place] = evolve(entry, actor_id=pseudonym)
            for key, row in list(tables.outbox.items()):
                if key[0] in theirs:
                    body = with_user(row.record.body.decode(), pseudonym).encode()
                    tables.outbox[key] = evolve(row, record=evolve(row.record, body=body))
            for response_key, response in list(tables.responses.items()):
                if response_key[0] == user_id:
                    del tables.responses[response_key]
                    tables.responses[pseudonym, *response_key[1:]] = evolve(
                        response, text=_renamed(response.text, user_id, pseudonym)
                    )


def _renamed(text: str, user_id: str, pseudonym: str) -> str:
    for written in (dumps(user_id), dumps(user_id, ensure_ascii=False)):
        text = text.replace(written, dumps(pseudonym))
    return text
