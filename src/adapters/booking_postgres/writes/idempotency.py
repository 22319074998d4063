"""What makes a request or a message happen once: idempotency keys and the inbox."""

from collections.abc import Sequence
from typing import Final
from uuid import UUID

from attrs import frozen
from psycopg.errors import LockNotAvailable

from booking_core.domain.errors import IdempotencyInProgress, IdempotencyKeyReused, TransactionConflict
from booking_core.domain.identity import slot_of_booking
from booking_core.domain.reservation import IdempotencyKey
from booking_core.ports import StoredResponse
from booking_postgres.driver.pipeline import Row, Statement, StatementFailed
from booking_postgres.writes.reservation import CLAIM_KEY, claim_key
from booking_postgres.writes.session import Session

_KEEP: Final = """
    UPDATE booking.idempotency_keys SET answer = %(answer)s
    WHERE user_id = %(user_id)s AND operation = %(operation)s AND key = %(key)s
"""
# A key that has outlived its time is taken over, by one of those who see it.
_TAKE_OVER: Final = """
    UPDATE booking.idempotency_keys SET fingerprint = %(fingerprint)s, created_at = %(now)s, answer = NULL
    WHERE user_id = %(user_id)s AND operation = %(operation)s AND key = %(key)s AND created_at = %(seen)s
    RETURNING true
"""
_MARK_PROCESSED: Final = """
    INSERT INTO booking.inbox (slot, message_id, booking_id, received_at)
    VALUES (%(slot)s, %(message_id)s, %(booking_id)s, clock_timestamp())
    ON CONFLICT (slot, message_id) DO NOTHING RETURNING true
"""


@frozen(eq=False)
class PostgresInbox:
    """See `booking_core.ports.Inbox`."""

    session: Session

    def mark_processed(self, messages: Sequence[tuple[UUID, UUID]]) -> Sequence[bool]:
        statements = [
            Statement(
                _MARK_PROCESSED,
                {"slot": slot_of_booking(booking_id), "message_id": message_id, "booking_id": booking_id},
                "inbox",
            )
            for booking_id, message_id in messages
        ]
        return [bool(rows) for rows in self.session.run(statements)]


@frozen(eq=False)
class PostgresStoredResponses:
    """See `booking_core.ports.StoredResponses`."""

    session: Session

    def claim(self, key: IdempotencyKey) -> StoredResponse | None:
        claimed, found = self.session.run(claim_key(key))
        return None if claimed else response_of(self.session, key, found[0] if found else None)

    def keep(self, key: IdempotencyKey, text: str) -> None:
        values = {"user_id": key.user_id, "operation": key.operation, "key": key.key, "answer": text}
        self.session.pending.append(Statement(_KEEP, values, "keep response"))


def response_of(session: Session, key: IdempotencyKey, found: Row | None) -> StoredResponse | None:
    """The response stored under a key that existed already; None if it was too old and the key is claimed now.

    Raises IdempotencyKeyReused, IdempotencyInProgress, or TransactionConflict if it changed hands under our eyes.
    """
    if found is None:
        raise TransactionConflict()
    fingerprint, answer, created_at, now = found
    if (now - created_at).total_seconds() > session.idempotency_hours * 3600:
        values = {
            "user_id": key.user_id,
            "operation": key.operation,
            "key": key.key,
            "fingerprint": key.fingerprint,
            "now": now,
            "seen": created_at,
        }
        [taken] = session.run([Statement(_TAKE_OVER, values, CLAIM_KEY)])
        if not taken:
            raise TransactionConflict()
        return None
    if fingerprint != key.fingerprint:
        raise IdempotencyKeyReused()
    if answer is None:
        raise IdempotencyInProgress()
    return StoredResponse(text=answer)


def translate_key_wait(failure: StatementFailed) -> None:
    """Raise IdempotencyInProgress if it was the key that we waited for in vain."""
    if failure.name == CLAIM_KEY and isinstance(failure.error, LockNotAvailable):
        raise IdempotencyInProgress() from failure.error
