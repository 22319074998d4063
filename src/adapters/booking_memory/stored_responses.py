"""Responses stored under idempotency keys, within one transaction."""

from booking_core.domain.errors import IdempotencyInProgress, IdempotencyKeyReused, ServiceBusy, TransactionConflict
from booking_core.domain.reservation import IdempotencyKey
from booking_core.ports import StoredResponse
from booking_memory.locks import response_lock
from booking_memory.tables import ResponseRow, response_key
from booking_memory.transaction import Transaction


class MemoryStoredResponses:
    """`StoredResponses` within one transaction."""

    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction

    def claim(self, key: IdempotencyKey) -> StoredResponse | None:
        if (response := self.stored(key)) is not None:
            return response
        try:
            self._transaction.locks.take(response_lock(key))
        except ServiceBusy:
            raise IdempotencyInProgress from None
        return self.stored(key)

    def claim_if_free(self, key: IdempotencyKey) -> bool:
        """Lock the key; False, without a wait, if another transaction has locked it."""
        return self._transaction.locks.take_if_free(response_lock(key))

    def keep(self, key: IdempotencyKey, text: str) -> None:
        self._transaction.locks.take(response_lock(key))
        with self._transaction.reading() as now:
            self._transaction.tables.responses[response_key(key)] = ResponseRow(
                fingerprint=key.fingerprint, text=text, stored_at=now
            )

    def keep_new(self, key: IdempotencyKey, text: str) -> None:
        """Store the response unless the key received one. Raises TransactionConflict."""
        try:
            has_response = self.stored(key) is not None
        except IdempotencyKeyReused:
            has_response = True
        if has_response:
            raise TransactionConflict
        self.keep(key, text)

    def stored(self, key: IdempotencyKey) -> StoredResponse | None:
        """Return the response stored under the key unless it is too old, read without a lock.

        Raises IdempotencyKeyReused.
        """
        with self._transaction.reading() as now:
            row = self._transaction.tables.responses.get(response_key(key))
        if row is None or now - row.stored_at > self._transaction.responses_last:
            return None
        if row.fingerprint != key.fingerprint:
            raise IdempotencyKeyReused
        return StoredResponse(text=row.text)
