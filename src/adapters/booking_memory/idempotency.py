"""Idempotency keys and the inbox: what was asked or told before."""

from collections.abc import Sequence
from uuid import UUID

from booking_core.domain.errors import IdempotencyInProgress, IdempotencyKeyReused, ServiceBusy
from booking_core.domain.reservation import IdempotencyKey
from booking_core.ports import StoredResponse
from booking_memory.locks import answer_lock, message_lock
from booking_memory.tables import AnswerRow, answer_key
from booking_memory.transaction import Transaction


class MemoryStoredResponses:
    """`StoredResponses` within one transaction."""

    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction

    def claim(self, key: IdempotencyKey) -> StoredResponse | None:
        if (response := self._stored(key)) is not None:
            return response
        try:
            self._transaction.locks.take(answer_lock(key))
        except ServiceBusy:
            raise IdempotencyInProgress from None
        return self._stored(key)

    def keep(self, key: IdempotencyKey, text: str) -> None:
        self._transaction.locks.take(answer_lock(key))
        with self._transaction.looking() as now:
            self._transaction.tables.answers[answer_key(key)] = AnswerRow(
                fingerprint=key.fingerprint, answer=text, kept_at=now
            )

    def _stored(self, key: IdempotencyKey) -> StoredResponse | None:
        """The response stored under the key unless it is too old, read without a lock."""
        with self._transaction.looking() as now:
            row = self._transaction.tables.answers.get(answer_key(key))
        if row is None or now - row.kept_at > self._transaction.answers_last:
            return None
        if row.fingerprint != key.fingerprint:
            raise IdempotencyKeyReused
        return StoredResponse(text=row.answer)


class MemoryInbox:
    """`Inbox` within one transaction."""

    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction

    def mark_processed(self, messages: Sequence[tuple[UUID, UUID]]) -> Sequence[bool]:
        return [self._is_new(booking_id, message_id) for booking_id, message_id in messages]

    def _is_new(self, booking_id: UUID, message_id: UUID) -> bool:
        self._transaction.locks.take(message_lock(booking_id, message_id))
        with self._transaction.looking() as now:
            inbox = self._transaction.tables.inbox
            if (booking_id, message_id) in inbox:
                return False
            inbox[booking_id, message_id] = now
            return True
