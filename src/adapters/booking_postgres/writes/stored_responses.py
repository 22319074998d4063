"""Responses stored under idempotency keys, in PostgreSQL."""

from datetime import datetime
from typing import Final

from attrs import frozen
from psycopg.errors import LockNotAvailable

from booking_core.domain.errors import IdempotencyInProgress, IdempotencyKeyReused, TransactionConflict
from booking_core.domain.reservation import IdempotencyKey
from booking_core.ports import StoredResponse
from booking_postgres.driver.pipeline import Row, Statement, StatementFailed
from booking_postgres.driver.transaction import Transaction

CLAIM_KEY: Final = "claim idempotency key"

_CLAIM_KEY: Final = """
    INSERT INTO booking.idempotency_keys (user_id, operation, key, fingerprint, created_at)
    VALUES (%(user_id)s, %(operation)s, %(key)s, %(fingerprint)s, clock_timestamp())
    ON CONFLICT (user_id, operation, key) DO NOTHING RETURNING true
"""
_READ_KEY: Final = """
    SELECT fingerprint, answer, created_at, clock_timestamp() FROM booking.idempotency_keys
    WHERE user_id = %(user_id)s AND operation = %(operation)s AND key = %(key)s
"""
# The timeout is set before the row is inserted. It lasts as long as the transaction, which inserts nothing else.
_PROBE_KEY: Final = """
    INSERT INTO booking.idempotency_keys (user_id, operation, key, fingerprint, created_at)
    SELECT %(user_id)s, %(operation)s, %(key)s, %(fingerprint)s, clock_timestamp()
    FROM set_config('lock_timeout', '1ms', true)
    ON CONFLICT (user_id, operation, key) DO NOTHING RETURNING true
"""
_KEEP: Final = """
    UPDATE booking.idempotency_keys SET answer = %(answer)s
    WHERE user_id = %(user_id)s AND operation = %(operation)s AND key = %(key)s
"""
# One of the requests that see an expired key takes it over.
_TAKE_OVER: Final = """
    UPDATE booking.idempotency_keys SET fingerprint = %(fingerprint)s, created_at = %(now)s, answer = NULL
    WHERE user_id = %(user_id)s AND operation = %(operation)s AND key = %(key)s AND created_at = %(seen)s
    RETURNING true
"""


@frozen(eq=False)
class PostgresStoredResponses:
    """See `booking_core.ports.StoredResponses`."""

    transaction: Transaction
    idempotency_hours: float

    def claim(self, key: IdempotencyKey) -> StoredResponse | None:
        claimed, found = self.transaction.run(claim_key(key))
        return None if claimed else self.stored(key, found[0] if found else None)

    def keep(self, key: IdempotencyKey, text: str) -> None:
        values = {"user_id": key.user_id, "operation": key.operation, "key": key.key, "answer": text}
        self.transaction.pending.append(Statement(_KEEP, values, "keep response"))

    def stored(self, key: IdempotencyKey, found: Row | None) -> StoredResponse | None:
        """Return the response of a key that existed already; None if it was too old and the key is claimed now.

        Raises IdempotencyKeyReused, IdempotencyInProgress, or TransactionConflict if the key changed meanwhile.
        """
        if found is None:
            raise TransactionConflict()
        fingerprint, text, created_at, now = found
        if (now - created_at).total_seconds() > self.idempotency_hours * 3600:
            self._take_over(key, created_at, now)
            return None
        if fingerprint != key.fingerprint:
            raise IdempotencyKeyReused()
        if text is None:
            raise IdempotencyInProgress()
        return StoredResponse(text=text)

    def translate(self, failure: StatementFailed) -> None:
        """Raise IdempotencyInProgress if the wait for a key timed out."""
        if failure.name == CLAIM_KEY and isinstance(failure.error, LockNotAvailable):
            raise IdempotencyInProgress() from failure.error

    def _take_over(self, key: IdempotencyKey, seen: datetime, now: datetime) -> None:
        values = {
            "user_id": key.user_id,
            "operation": key.operation,
            "key": key.key,
            "fingerprint": key.fingerprint,
            "now": now,
            "seen": seen,
        }
        [taken] = self.transaction.run([Statement(_TAKE_OVER, values, CLAIM_KEY)])
        if not taken:
            raise TransactionConflict()


def claim_key(key: IdempotencyKey) -> list[Statement]:
    """Return two statements: claim the key, and read its row."""
    values = {"user_id": key.user_id, "operation": key.operation, "key": key.key, "fingerprint": key.fingerprint}
    return [Statement(_CLAIM_KEY, values, CLAIM_KEY), Statement(_READ_KEY, values, CLAIM_KEY)]


def probe_key(key: IdempotencyKey) -> Statement:
    """Return the statement that claims the key unless it is claimed or stored already; it waits 1 ms at most."""
    values = {"user_id": key.user_id, "operation": key.operation, "key": key.key, "fingerprint": key.fingerprint}
    return Statement(_PROBE_KEY, values, "probe idempotency key")
