"""The SQL of a reservation, in a module of its own, so that its form can change in one place (ADR 0002).

Two round trips. The first one locks and loads, in the function of migration 0007: user, overdue holders of the wanted
seats, seats, in this order; then the facts, each in a statement that begins after the last wait; then it claims the
idempotency key, under the user's lock. The domain decides. The second one writes everything and commits.

If a wanted seat has a live committed claim, nothing is locked and nothing waits, because the result is known. Locks
that were skipped for a claim that ended a moment later are detected, and the whole is run again.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from functools import cache, partial
from typing import Any, Final
from uuid import UUID

from attrs import define, field, frozen
from psycopg.errors import LockNotAvailable, UniqueViolation

from booking_core.domain.booking import Booking
from booking_core.domain.errors import IdempotencyInProgress, SeatAlreadyReserved, TransactionConflict
from booking_core.domain.identity import slot_of_booking, slot_of_event
from booking_core.domain.reservation import IdempotencyKey, SeatRequest
from booking_core.domain.values import SaleStatus, Seat, TicketedEvent
from booking_core.messages.envelopes import encode
from booking_core.ports import LockedBooking, LockedSeats, StoredResponse
from booking_postgres.driver.errors import LockWaitTooLong
from booking_postgres.driver.pipeline import Row, Rows, Statement, StatementFailed
from booking_postgres.driver.transaction import Transaction
from booking_postgres.writes.stored_responses import PostgresStoredResponses, claim_key, probe_key

_LOAD_NAME: Final = "lock and load"
_LIVE_CLAIMS: Final = """
    SELECT c.seat_id FROM unnest(%(seat_ids)s::uuid[]) w (seat_id), LATERAL (
        SELECT c.seat_id FROM booking.claims c
        WHERE c.slot = %(slot)s AND c.event_id = %(event_id)s AND c.seat_id = w.seat_id AND c.ended_at IS NULL
        OFFSET 0) c
"""
_LOCK_AND_LOAD: Final = """
    SELECT * FROM booking.lock_and_load_2(
        %(slot)s::smallint, %(event_id)s, %(seat_ids)s, %(user_id)s, %(bounds)s::text[])
"""
# Until the transaction ends: the foreign keys of the booking are checked at the end of its statement, by a plan that
# the session keeps. Made while the tables were empty, it would read all bookings for each claim.
_LOCK_AND_LOAD_BY_INDEX: Final = _LOCK_AND_LOAD.replace("*", "f.*, set_config('enable_seqscan', 'off', true)") + " f"


@frozen(kw_only=True)
class LockAndLoad:
    """The result of the first round trip: the facts under the locks, and the state of the idempotency key."""

    key_is_ours: bool
    earlier: Row | None
    row: Row

    @property
    def known(self) -> frozenset[UUID]:
        """The ids of the wanted seats that exist."""
        return frozenset(self.row[9] or ())

    @property
    def taken(self) -> frozenset[UUID]:
        """Those with a live claim that is not overdue."""
        return frozenset(self.row[13] or ())

    @property
    def overdue(self) -> list[UUID]:
        """The bookings that hold wanted seats and are overdue, sorted."""
        return self.row[14] or []

    @property
    def is_settled(self) -> bool:
        """Whether the locks fit the facts: all that a granted reservation depends on was locked before it was read."""
        return bool(self.row[15])

    def reservation_facts(self, request: SeatRequest, overdue: tuple[Booking, ...]) -> LockedSeats:
        """Build the domain's facts."""
        now, name, starts_at, status, currency, ages, refreshed_at, closed, pending = self.row[:9]
        event = None
        if name is not None:
            event = TicketedEvent(
                event_id=request.event_id,
                name=name,
                starts_at=starts_at,
                status=SaleStatus(status),
                currency=currency,
            )
        return LockedSeats(
            now=now,
            event=event,
            closed=bool(closed),
            refreshed_at=refreshed_at if ages else None,
            wanted=request.seat_ids,
            seats=self._seats(),
            known=self.known,
            taken=self.taken,
            overdue=overdue,
            pending=pending,
        )

    def _seats(self) -> dict[UUID, Seat]:
        if not self.row[10]:
            return {}
        return {
            seat_id: Seat(seat_id=seat_id, row=row, number=number, price=price)
            for seat_id, row, number, price in zip(*self.row[9:13], strict=True)
        }


@define(eq=False)
class PostgresReservations(ABC):
    """The part of the booking repository that a reservation uses."""

    transaction: Transaction
    responses: PostgresStoredResponses
    _added: Booking | None = field(default=None, init=False)

    def lock_seats(self, request: SeatRequest) -> LockedSeats | StoredResponse:
        if request.idempotency is not None:
            self.transaction.translators.append(partial(self._translate_wait, request.idempotency))
        found = loaded(self.transaction.run(lock_and_load(request, self.transaction.reservation_timeouts)))
        if request.idempotency is not None and not found.key_is_ours:
            response = self.responses.stored(request.idempotency, found.earlier)
            if response is not None:
                return response
        if found.taken:
            return found.reservation_facts(request, ())
        if not found.is_settled:
            raise TransactionConflict()
        holders = self.load_locked(slot_of_event(request.event_id), found.overdue) if found.overdue else []
        return found.reservation_facts(request, tuple(holder.booking for holder in holders))

    def add(self, booking: Booking) -> None:
        self._added = booking
        self.transaction.translators.append(self._translate)
        self.transaction.pending.append(insert_booking(booking))

    @abstractmethod
    def load_locked(self, slot: int, booking_ids: Sequence[UUID]) -> list[LockedBooking]:
        """Load bookings of one slot that this transaction has locked, sorted by id."""

    def _translate_wait(self, key: IdempotencyKey, failure: StatementFailed) -> None:
        """Translate a wait for a lock that was too long: the first request with this key may have held the user."""
        if failure.name == _LOAD_NAME and isinstance(failure.error, LockNotAvailable):
            try:
                claimed = self.transaction.run_after_rollback(probe_key(key))
            except LockWaitTooLong as error:
                raise IdempotencyInProgress() from error
            if not claimed:
                raise TransactionConflict()  # its response is stored meanwhile

    def _translate(self, failure: StatementFailed) -> None:
        if failure.name == "insert booking" and isinstance(failure.error, UniqueViolation) and self._added:
            rows = self.transaction.run_after_rollback(live_claims(self._added.event_id, self._added.seat_ids))
            if rows:
                raise SeatAlreadyReserved.of(row[0] for row in rows) from failure.error


def lock_and_load(request: SeatRequest, timeouts: Sequence[str] | None) -> list[Statement]:
    """Return the statements of the first round trip.

    `timeouts`: of lock, statement and idling, in this order; None leaves the caller's as they are.
    """
    values: dict[str, Any] = {
        "slot": slot_of_event(request.event_id),
        "event_id": request.event_id,
        "seat_ids": list(request.seat_ids),
        "user_id": request.user_id,
        "bounds": timeouts,
    }
    # In a transaction that the caller owns the savepoint has set it.
    sql = _LOCK_AND_LOAD if timeouts is None else _LOCK_AND_LOAD_BY_INDEX
    load = Statement(sql, values, _LOAD_NAME, sets_timeouts=True)
    return [load] if request.idempotency is None else [load, *claim_key(request.idempotency)]


def loaded(results: Sequence[Rows]) -> LockAndLoad:
    """Interpret the results of `lock_and_load`."""
    claimed, found = results[1:] if len(results) > 1 else ([], [])
    return LockAndLoad(
        key_is_ours=bool(claimed), earlier=found[0] if found and not claimed else None, row=results[0][0]
    )


def live_claims(event_id: UUID, seat_ids: Sequence[UUID]) -> Statement:
    """Return the query for the seats that have a live claim."""
    values = {"slot": slot_of_event(event_id), "event_id": event_id, "seat_ids": list(seat_ids)}
    return Statement(_LIVE_CLAIMS, values, "live claims")


def insert_booking(booking: Booking) -> Statement:
    """Return one statement that writes a new booking with its hold, history, event and claims.

    The claims are its outermost part, as VALUES, so that an existing claim raises error 23505 on every server.
    """
    entry, event = booking.new_history[0], booking.new_events[0]
    values: dict[str, Any] = {
        "slot": slot_of_booking(booking.booking_id),
        "booking_id": booking.booking_id,
        "event_id": booking.event_id,
        "user_id": booking.user_id,
        "total": booking.total.amount,
        "currency": booking.total.currency,
        "created_at": booking.created_at,
        "expires_at": booking.expires_at,
        "correlation_id": booking.correlation_id,
        "actor": entry.actor.value,
        "actor_id": entry.actor_id,
        "message_id": event.message_id,
        "body": encode(event),
    }
    for index, seat in enumerate(booking.seats):
        values[f"seat_{index}"] = seat.seat_id
        values[f"row_{index}"] = seat.row
        values[f"number_{index}"] = seat.number
        values[f"price_{index}"] = seat.price
    return Statement(_insert_sql(len(booking.seats)), values, "insert booking")


@cache
def _insert_sql(seats: int) -> str:
    claims = ",\n".join(
        f"(%(slot)s, %(event_id)s, %(seat_{i})s, %(booking_id)s, %(row_{i})s, %(number_{i})s, %(price_{i})s,"
        " %(expires_at)s)"
        for i in range(seats)
    )
    return f"""
    WITH new_booking AS (
        INSERT INTO booking.bookings (slot, booking_id, event_id, user_id, status, total, currency, created_at,
                                      expires_at, deadline, correlation_id, revision, sequence)
        VALUES (%(slot)s, %(booking_id)s, %(event_id)s, %(user_id)s, 'PENDING', %(total)s, %(currency)s,
                %(created_at)s, %(expires_at)s, %(expires_at)s, %(correlation_id)s, 1, 1)
    ), new_hold AS (
        INSERT INTO booking.holds (user_id, booking_id, deadline)
        VALUES (%(user_id)s, %(booking_id)s, %(expires_at)s)
    ), new_history AS (
        INSERT INTO booking.history (slot, booking_id, number, at, trigger, to_status, actor, actor_id,
                                     correlation_id, note)
        VALUES (%(slot)s, %(booking_id)s, 1, %(created_at)s, 'RESERVE', 'PENDING', %(actor)s, %(actor_id)s,
                %(correlation_id)s, '')
    ), new_event AS (
        INSERT INTO booking.outbox (slot, key, sequence, message_id, event_type, correlation_id, recorded_at, body)
        VALUES (%(slot)s, %(booking_id)s, 1, %(message_id)s, 'booking.created', %(correlation_id)s, %(created_at)s,
                %(body)s)
    )
    INSERT INTO booking.claims (slot, event_id, seat_id, booking_id, row_name, number, price, held_until)
    VALUES {claims}
    """  # noqa: S608
