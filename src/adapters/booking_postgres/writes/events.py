"""Events, their seats and their closure in PostgreSQL."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final
from uuid import UUID

from attrs import evolve, frozen
from psycopg.errors import ForeignKeyViolation

from booking_core.domain.errors import EventNotFound
from booking_core.domain.events import EventCancelled
from booking_core.domain.identity import slot_of_event
from booking_core.domain.values import Seat, TicketedEvent
from booking_core.ports import Closure
from booking_postgres.booking_rows import outbox_rows
from booking_postgres.driver.pipeline import Rows, Statement, StatementFailed
from booking_postgres.driver.transaction import Transaction
from booking_postgres.event_rows import CLOSURE_COLUMNS, EVENT_COLUMNS, closure_of, event_of

_INSERT: Final = """
    INSERT INTO booking.events (slot, event_id, name, starts_at, sale_status, currency, ages, complete, refreshed_at)
    VALUES (%(slot)s, %(event_id)s, %(name)s, %(starts_at)s, %(status)s, %(currency)s, %(ages)s, %(complete)s,
        %(now)s)
"""
_PUT: Final = f"""{_INSERT}
    ON CONFLICT (slot, event_id) DO UPDATE SET name = EXCLUDED.name, starts_at = EXCLUDED.starts_at,
        sale_status = EXCLUDED.sale_status, currency = EXCLUDED.currency, ages = EXCLUDED.ages,
        complete = events.complete OR EXCLUDED.complete, refreshed_at = EXCLUDED.refreshed_at
"""
_PUT_NEW: Final = f"{_INSERT} ON CONFLICT (slot, event_id) DO NOTHING RETURNING true"
# After a wait for the row, PostgreSQL evaluates the condition again.
_PUT_OVER: Final = """
    UPDATE booking.events SET name = %(name)s, starts_at = %(starts_at)s, sale_status = %(status)s,
        currency = %(currency)s, ages = %(ages)s, complete = complete OR %(complete)s,
        refreshed_at = CASE WHEN %(refreshed)s THEN %(now)s ELSE refreshed_at END
    WHERE slot = %(slot)s AND event_id = %(event_id)s
      AND currency = %(before_currency)s AND sale_status = %(before_status)s RETURNING true
"""
_LOCK: Final = f"""
    SELECT {EVENT_COLUMNS} FROM booking.events e WHERE slot = %(slot)s AND event_id = %(event_id)s FOR NO KEY UPDATE
"""  # noqa: S608
_PUT_SEATS_NAME: Final = "put seats"
# OFFSET 0 keeps the planner from joining in another way than by one look into the index for each seat that is given.
_DIFFERENT_SEATS: Final = """
    SELECT g.seat_id, g.row_name, g.number, g.price FROM unnest(
        %(seat_ids)s::uuid[], %(rows)s::text[], %(numbers)s::integer[], %(prices)s::numeric[])
        AS g (seat_id, row_name, number, price)
    LEFT JOIN LATERAL (
        SELECT s.seat_id, s.row_name, s.number, s.price, s.withdrawn FROM booking.seats s
        WHERE s.slot = %(slot)s AND s.event_id = %(event_id)s AND s.seat_id = g.seat_id OFFSET 0) s ON true
    WHERE s.seat_id IS NULL
       OR (s.row_name, s.number, s.price, s.withdrawn) IS DISTINCT FROM (g.row_name, g.number, g.price, false)
    ORDER BY g.seat_id
"""
_PUT_SEATS: Final = """
    INSERT INTO booking.seats (slot, event_id, seat_id, row_name, number, price)
    SELECT %(slot)s, %(event_id)s, g.* FROM unnest(
        %(seat_ids)s::uuid[], %(rows)s::text[], %(numbers)s::integer[], %(prices)s::numeric[]) AS g
    ON CONFLICT (slot, event_id, seat_id) DO UPDATE SET row_name = EXCLUDED.row_name, number = EXCLUDED.number,
        price = EXCLUDED.price, withdrawn = false
"""
_IN_CHUNKS: Final = "WHERE slot = %(slot)s AND event_id = %(event_id)s AND seat_id >= %(first)s"
_ON_SALE: Final = f"SELECT seat_id FROM booking.seats {_IN_CHUNKS} AND NOT withdrawn ORDER BY seat_id LIMIT %(limit)s"  # noqa: S608
_WITHDRAW_SEAT: Final = """
    UPDATE booking.seats SET withdrawn = true
    WHERE slot = %(slot)s AND event_id = %(event_id)s AND seat_id = %(seat_id)s AND NOT withdrawn RETURNING true
"""
_CLOSE: Final = """
    UPDATE booking.events SET closed_at = %(now)s, close_reason = %(reason)s, closed_by = %(administrator)s,
        close_correlation_id = %(correlation_id)s
    WHERE slot = %(slot)s AND event_id = %(event_id)s AND closed_at IS NULL
"""
_CLOSURE: Final = f"""
    SELECT {CLOSURE_COLUMNS} FROM booking.events
    WHERE slot = %(slot)s AND event_id = %(event_id)s AND closed_at IS NOT NULL
"""  # noqa: S608
_FINISH: Final = """
    UPDATE booking.events SET finished_at = %(now)s
    WHERE slot = %(slot)s AND event_id = %(event_id)s AND closed_at IS NOT NULL AND finished_at IS NULL
    RETURNING affected_bookings
"""
_CHUNK: Final = 500  # seats
_LOCK_SEATS: Final = f"SELECT seat_id FROM booking.seats {_IN_CHUNKS} ORDER BY seat_id LIMIT %(limit)s FOR UPDATE"  # noqa: S608
_NOW: Final = Statement("SELECT clock_timestamp()", {}, "clock")


@frozen(eq=False)
class PostgresEvents:
    """See `booking_core.ports.EventRepository`."""

    transaction: Transaction

    def __attrs_post_init__(self) -> None:
        self.transaction.translators.append(_translate_unknown_event)

    def put(self, event: TicketedEvent, *, ages: bool, complete: bool) -> None:
        self.transaction.run([Statement(_PUT, self._values(event, ages=ages, complete=complete), "event")])

    def put_if_unchanged(
        self,
        event: TicketedEvent,
        before: TicketedEvent | None,
        *,
        ages: bool,
        complete: bool,
        refreshed: bool = True,
    ) -> bool:
        values = self._values(event, ages=ages, complete=complete)
        if before is None:
            [put] = self.transaction.run([Statement(_PUT_NEW, values, "new event")])
        else:
            values |= {"before_currency": before.currency, "before_status": before.status.value}
            values |= {"refreshed": refreshed}
            [put] = self.transaction.run([Statement(_PUT_OVER, values, "event")])
        return bool(put)

    def lock(self, event_id: UUID) -> TicketedEvent | None:
        [found] = self.transaction.run([Statement(_LOCK, _key(event_id), "lock event")])
        return event_of(found[0]) if found else None

    def _values(self, event: TicketedEvent, *, ages: bool, complete: bool) -> dict[str, Any]:
        return {
            **_key(event.event_id),
            "name": event.name,
            "starts_at": event.starts_at,
            "status": event.status.value,
            "currency": event.currency,
            "ages": ages,
            "complete": complete,
            "now": self._now(),
        }

    def put_seats(self, event_id: UUID, seats: Sequence[Seat]) -> int:
        if not seats:
            return 0
        key = _key(event_id)
        columns: dict[str, Any] = {
            "seat_ids": [seat.seat_id for seat in seats],
            "rows": [seat.row for seat in seats],
            "numbers": [seat.number for seat in seats],
            "prices": [seat.price for seat in seats],
        }
        # In the order of ids, so that two refreshes and a reservation cannot wait in a circle.
        [different] = self.transaction.run_by_keys(Statement(_DIFFERENT_SEATS, {**key, **columns}, "different seats"))
        if different:
            changed = dict(zip(columns, map(list, zip(*different, strict=True)), strict=True))
            self.transaction.run([Statement(_PUT_SEATS, {**key, **changed}, _PUT_SEATS_NAME)])
        return len(different)

    def withdraw_seats(self, event_id: UUID, known: Sequence[UUID]) -> int:
        keep, gone = frozenset(known), list[UUID]()
        for rows in _chunks(_ON_SALE, event_id, self.transaction.run_by_keys):
            gone += [seat_id for (seat_id,) in rows if seat_id not in keep]
        withdrawn = 0
        for start in range(0, len(gone), _CHUNK):
            chunk = [{**_key(event_id), "seat_id": seat_id} for seat_id in gone[start : start + _CHUNK]]
            done = self.transaction.run([Statement(_WITHDRAW_SEAT, values, "withdraw") for values in chunk])
            withdrawn += sum(map(len, done))
        return withdrawn

    def close(self, closure: Closure) -> Closure | None:
        values = {
            **_key(closure.event_id),
            "now": self._now(),
            "reason": closure.reason,
            "administrator": closure.administrator,
            "correlation_id": closure.correlation_id,
        }
        _, found = self.transaction.run([Statement(_CLOSE, values, "close"), Statement(_CLOSURE, values, "closure")])
        return closure_of(found[0]) if found else None

    def finish(self, event: EventCancelled) -> bool:
        self.transaction.flush()
        [marked] = self.transaction.run([Statement(_FINISH, {**_key(event.event_id), "now": self._now()}, "finish")])
        for (affected,) in marked:
            self.transaction.pending += outbox_rows([evolve(event, affected_bookings=affected)])
        return bool(marked)

    def _now(self) -> Any:
        [[[now]]] = self.transaction.run([_NOW])
        return now


def await_reservations_in_flight(event_id: UUID, new_transaction: Callable[[], Transaction]) -> None:
    """See `booking_core.ports.Store`: a seat lock that is granted proves that every earlier holder has ended.

    The seats are locked in chunks, each in a transaction of its own that ends at once.
    """

    def lock(statement: Statement) -> list[Rows]:
        transaction = new_transaction()
        try:
            transaction.begin()
            return transaction.run_by_keys(statement)
        finally:
            transaction.end()

    for _ in _chunks(_LOCK_SEATS, event_id, lock):
        pass


def _chunks(sql: str, event_id: UUID, run: Callable[[Statement], list[Rows]]) -> Iterator[Rows]:
    """Run a statement for one chunk of the event's seats after the other, in the order of ids, and yield the rows."""
    first = 0
    while first < 1 << 128:
        values = {**_key(event_id), "first": UUID(int=first), "limit": _CHUNK}
        [rows] = run(Statement(sql, values, "chunk of seats"))
        yield rows
        if len(rows) < _CHUNK:
            return
        first = rows[-1][0].int + 1


def _translate_unknown_event(failure: StatementFailed) -> None:
    """Raise EventNotFound if seats were put for an unknown event."""
    if failure.name == _PUT_SEATS_NAME and isinstance(failure.error, ForeignKeyViolation):
        raise EventNotFound() from failure.error


def _key(event_id: UUID) -> dict[str, Any]:
    return {"slot": slot_of_event(event_id), "event_id": event_id}
