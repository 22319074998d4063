"""Customers in PostgreSQL: the lock of a user and of all their bookings, and replacing a user's id."""

from collections.abc import Sequence
from json import dumps
from typing import Final

from attrs import frozen

from booking_core.ports import LockedBooking
from booking_postgres.driver.pipeline import Statement
from booking_postgres.driver.transaction import Transaction
from booking_postgres.writes.bookings import PostgresBookings

# As a reservation locks the user, also one that is unknown: the row is removed with the rest.
_LOCK_USER: Final = """
    INSERT INTO booking.customers AS u (user_id) VALUES (%(user_id)s)
    ON CONFLICT (user_id) DO UPDATE SET user_id = EXCLUDED.user_id
"""
_LOCK_BOOKINGS: Final = """
    SELECT booking_id FROM booking.bookings WHERE user_id = %(user_id)s ORDER BY booking_id FOR UPDATE
"""
_OF_BOOKINGS: Final = "FROM booking.bookings b WHERE b.user_id = %(pseudonym)s"
# The pattern is that of `booking_core.messages.envelopes.with_user`; a pseudonym has nothing to escape.
_RENAME: Final = (
    "UPDATE booking.bookings SET user_id = %(pseudonym)s WHERE user_id = %(user_id)s",
    f"""
    UPDATE booking.history h SET actor_id = %(pseudonym)s {_OF_BOOKINGS}
      AND h.slot = b.slot AND h.booking_id = b.booking_id AND h.actor = 'CUSTOMER' AND h.actor_id = %(user_id)s
    """,  # noqa: S608
    f"""
    UPDATE booking.outbox o
    SET body = regexp_replace(o.body, '"userId"\\s*:\\s*"(\\\\.|[^"\\\\])*"', '"userId":"' || %(pseudonym)s || '"')
    {_OF_BOOKINGS} AND o.slot = b.slot AND o.key = b.booking_id
    """,  # noqa: S608
    """
    UPDATE booking.idempotency_keys SET user_id = %(pseudonym)s,
        answer = replace(replace(answer, %(escaped)s, '"' || %(pseudonym)s || '"'), %(plain)s,
            '"' || %(pseudonym)s || '"')
    WHERE user_id = %(user_id)s
    """,
    "DELETE FROM booking.holds WHERE user_id = %(user_id)s",
    "DELETE FROM booking.customers WHERE user_id = %(user_id)s",
)


@frozen(eq=False)
class PostgresCustomers:
    """See `booking_core.ports.CustomerRepository`."""

    transaction: Transaction
    bookings: PostgresBookings

    def lock(self, user_id: str) -> Sequence[LockedBooking]:
        values = {"user_id": user_id}
        statements = [Statement(_LOCK_USER, values, "lock user"), Statement(_LOCK_BOOKINGS, values, "lock bookings")]
        _, ids = self.transaction.run(statements)
        locked = self.bookings.lock(*(row[0] for row in ids)) if ids else {}
        return [locked[booking_id] for booking_id in sorted(locked)]

    def rename(self, user_id: str, pseudonym: str) -> None:
        values = {
            "user_id": user_id,
            "pseudonym": pseudonym,
            "escaped": dumps(user_id),
            "plain": dumps(user_id, ensure_ascii=False),
        }
        self.transaction.pending += [Statement(sql, values, "rename user") for sql in _RENAME]
