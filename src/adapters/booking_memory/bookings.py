"""Bookings and the inbox within one transaction."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from attrs import evolve

from booking_core.domain.booking import Booking
from booking_core.domain.commands import PaymentCommand
from booking_core.domain.errors import IdempotencyInProgress, IdempotencyKeyReused, ServiceBusy, TransactionConflict
from booking_core.domain.lifecycle import Status
from booking_core.domain.reservation import SeatRequest
from booking_core.domain.values import ActorKind, Cause
from booking_core.ports import (
    Deferral,
    ExpiryResult,
    LockedBooking,
    LockedSeats,
    MemberFacts,
    NewBooking,
    Receipt,
    StoredResponse,
)
from booking_memory.locks import booking_lock, message_lock, seat_lock, user_lock
from booking_memory.stored_responses import MemoryStoredResponses
from booking_memory.tables import InboxRow, Tables, copy_of
from booking_memory.transaction import Transaction


def facts_of(tables: Tables, request: SeatRequest, now: datetime) -> LockedSeats:
    """Return the facts of a reservation. The caller holds the locks, or decides that none are needed."""
    event = tables.events.get(request.event_id)
    closure = tables.closures.get(request.event_id)
    rows = ((seat_id, tables.seats.get((request.event_id, seat_id))) for seat_id in request.seat_ids)
    holders = holders_of(tables, request)
    return LockedSeats(
        now=now,
        event=event.event if event else None,
        closed=closure is not None,
        refreshed_at=event.refreshed_at if event and event.ages else None,
        wanted=request.seat_ids,
        seats={seat_id: row.seat for seat_id, row in rows if row is not None and not row.withdrawn},
        taken=frozenset(seat_id for seat_id, holder in holders.items() if not holder.is_overdue(now)),
        overdue=overdue_of(holders, now),
        pending=sum(_counts(booking, request.user_id, now) for booking in tables.bookings.values()),
    )


def holders_of(tables: Tables, request: SeatRequest) -> dict[UUID, Booking]:
    """Return the bookings that have claims on wanted seats, by seat; not copies."""
    claims = ((seat_id, tables.claims.get((request.event_id, seat_id))) for seat_id in request.seat_ids)
    return {seat_id: tables.bookings[holder] for seat_id, holder in claims if holder is not None}


def overdue_of(holders: dict[UUID, Booking], now: datetime) -> tuple[Booking, ...]:
    """Return copies of the overdue bookings among the holders, each once, sorted by id."""
    overdue = {holder.booking_id: holder for holder in holders.values() if holder.is_overdue(now)}
    return tuple(copy_of(overdue[booking_id]) for booking_id in sorted(overdue))


def _counts(booking: Booking, user_id: str, now: datetime) -> bool:
    # BR-03: a hold counts while its deadline is ahead; one whose payment is in progress does not.
    return booking.user_id == user_id and booking.status is Status.PENDING and not booking.is_overdue(now)


# The correlation is replaced by the booking's own (`Booking.expire`).
_EXPIRY_JOB: Final = Cause(actor=ActorKind.EXPIRY_JOB, actor_id="expiry", correlation_id="expiry")


class MemoryBookings:
    """`BookingRepository` within one transaction."""

    def __init__(self, transaction: Transaction, responses: MemoryStoredResponses) -> None:
        self._transaction = transaction
        self._responses = responses

    def lock_seats(self, request: SeatRequest) -> LockedSeats | StoredResponse:
        seen = self._facts(request)
        facts = seen if seen.taken else self._lock(request)
        # Read under the user's lock, or after the claims if nothing was locked.
        response = self._responses.claim(request.idempotency) if request.idempotency else None
        return facts if response is None else response

    def _lock(self, request: SeatRequest) -> LockedSeats:
        locks = self._transaction.locks
        self._lock_user(request)
        # Read the holders again: they may have changed during the wait for the user.
        for overdue in self._facts(request).overdue:
            locks.take(booking_lock(overdue.booking_id))
        for seat_id in request.seat_ids:
            locks.take(seat_lock(request.event_id, seat_id))
        facts = self._facts(request)
        if not facts.taken and any(booking_lock(holder.booking_id) not in locks for holder in facts.overdue):
            raise TransactionConflict
        return facts

    def lock_group(
        self, requests: Sequence[SeatRequest]
    ) -> Sequence[MemberFacts | StoredResponse | IdempotencyKeyReused | Deferral]:
        locks = self._transaction.locks
        with self._transaction.reading():
            blocked = [bool(holders_of(self._transaction.tables, request)) for request in requests]
        for request, is_blocked in zip(requests, blocked, strict=True):
            if not is_blocked and locks.take_if_free(user_lock(request.user_id)):
                for seat_id in request.seat_ids:
                    locks.take_if_free(seat_lock(request.event_id, seat_id))
        with self._transaction.reading() as now:
            return [self._member(request, blocks, now) for request, blocks in zip(requests, blocked, strict=True)]

    def lock(self, *booking_ids: UUID) -> Mapping[UUID, LockedBooking]:
        for booking_id in sorted(set(booking_ids)):
            self._transaction.locks.take(booking_lock(booking_id))
        with self._transaction.reading() as now:
            found = {each: self._transaction.tables.bookings.get(each) for each in booking_ids}
            return {booking_id: self._locked(booking, now) for booking_id, booking in found.items() if booking}

    def lock_live(self, event_id: UUID, limit: int) -> Sequence[LockedBooking]:
        found: list[LockedBooking] = []
        while not found and (candidates := self._live(event_id)[:limit]):
            locked = (self.lock(booking_id)[booking_id] for booking_id in candidates)
            # Some may have ended during the wait; if all of them did, search again.
            found = [each for each in locked if each.booking.is_live]
        return found

    def add(self, booking: Booking) -> None:
        self._transaction.write(booking)

    def add_group(self, bookings: Sequence[NewBooking]) -> None:
        for each in bookings:
            self._transaction.write(each.booking, each.traceparent)
            if each.key is not None:
                self._responses.keep_new(each.key, each.response)

    def save(self, booking: Booking) -> None:
        if booking.new_history:
            self._transaction.write(booking)

    def expire_overdue(self, limit: int) -> ExpiryResult:
        expired = seats = 0
        for booking in self._overdue_and_free():
            if expired >= limit:
                break
            with self._transaction.reading() as now:
                ended = booking.expire(now, _EXPIRY_JOB)
            if ended:
                self.save(booking)
                expired, seats = expired + 1, seats + len(booking.seats)
        return ExpiryResult(expired=expired, seats_released=seats)

    def _lock_user(self, request: SeatRequest) -> None:
        try:
            self._transaction.locks.take(user_lock(request.user_id))
        except ServiceBusy:
            # The first request with the key may be what holds the user.
            if request.idempotency is not None and not self._responses.claim_if_free(request.idempotency):
                raise IdempotencyInProgress from None
            raise

    def _member(
        self, request: SeatRequest, is_blocked: bool, now: datetime
    ) -> MemberFacts | StoredResponse | IdempotencyKeyReused | Deferral:
        user_is_locked = user_lock(request.user_id) in self._transaction.locks
        if request.idempotency is not None:
            try:
                response = self._responses.stored(request.idempotency)
            except IdempotencyKeyReused as reused:
                return reused
            if response is not None:
                return response
            if user_is_locked and not self._responses.claim_if_free(request.idempotency):
                return Deferral.IDEMPOTENCY_KEY
        facts = facts_of(self._transaction.tables, request, now)
        holders = holders_of(self._transaction.tables, request)
        return MemberFacts(
            now=now,
            event=facts.event,
            closed=facts.closed,
            refreshed_at=facts.refreshed_at,
            wanted=facts.wanted,
            seats={
                seat_id: seat
                for seat_id, seat in facts.seats.items()
                if seat_lock(request.event_id, seat_id) in self._transaction.locks
            },
            known=frozenset(facts.seats) if is_blocked else None,
            taken=facts.taken,
            pending=facts.pending,
            user_is_locked=user_is_locked,
            overdue_seats=frozenset(seat_id for seat_id, holder in holders.items() if holder.is_overdue(now)),
        )

    def _locked(self, booking: Booking, now: datetime) -> LockedBooking:
        tables = self._transaction.tables
        event = tables.events.get(booking.event_id)
        return LockedBooking(
            booking=copy_of(booking),
            now=now,
            event_starts_at=event.event.starts_at if event else None,
            event_is_closed=booking.event_id in tables.closures,
        )

    def _facts(self, request: SeatRequest) -> LockedSeats:
        with self._transaction.reading() as now:
            return facts_of(self._transaction.tables, request, now)

    def _live(self, event_id: UUID) -> list[UUID]:
        with self._transaction.reading():
            live = self._transaction.tables.bookings_of_event(event_id)
            return sorted(booking.booking_id for booking in live if booking.is_live)

    def _overdue_and_free(self) -> Iterator[Booking]:
        """Lock and copy overdue bookings, the longest overdue first; skip those that are locked."""
        with self._transaction.reading() as now:
            bookings = self._transaction.tables.bookings.values()
            overdue = [(each.deadline or now, each.booking_id) for each in bookings if each.is_overdue(now)]
        for _, booking_id in sorted(overdue):
            if self._transaction.locks.take_if_free(booking_lock(booking_id)):
                yield self.lock(booking_id)[booking_id].booking


class MemoryInbox:
    """`Inbox` within one transaction."""

    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction

    def mark_processed(self, messages: Sequence[PaymentCommand]) -> Sequence[Receipt]:
        # Sorted, as every transaction takes them: no two of them wait for each other.
        for message_id in sorted({message.message_id for message in messages}):
            self._transaction.locks.take(message_lock(message_id))
        return [self._receipt(message) for message in messages]

    def retain(self, messages: Sequence[PaymentCommand]) -> None:
        with self._transaction.reading():
            inbox = self._transaction.tables.inbox
            for message in messages:
                inbox[message.message_id] = evolve(inbox[message.message_id], retained=True)

    def _receipt(self, message: PaymentCommand) -> Receipt:
        content = (message.booking_id, message.payment_id, message.event_type)
        with self._transaction.reading() as now:
            row = self._transaction.tables.inbox.get(message.message_id)
            if row is None:
                self._transaction.tables.inbox[message.message_id] = InboxRow(content=content, received_at=now)
                return Receipt.NEW
        if row.content == content:
            return Receipt.REPEATED
        self.retain([message])
        return Receipt.REUSED
