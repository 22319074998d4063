"""The SQL of a group of reservations: what is sent, and what the answer means. Does no I/O (ADR 0028).

Two round trips, as for one reservation: lock and load, then write and commit, in the functions of migration 0006. A
group never waits for a seat or a known user. Arrays are written here as text, which costs a quarter of psycopg's lists.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from attrs import frozen
from psycopg.errors import UniqueViolation

from booking_core.domain.errors import IdempotencyKeyReused, SeatAlreadyReserved
from booking_core.domain.identity import slot_of_booking, slot_of_event
from booking_core.domain.reservation import SeatRequest
from booking_core.domain.values import SaleStatus, Seat, TicketedEvent
from booking_core.messages.envelopes import encode
from booking_core.ports import Deferral, MemberFacts, NewBooking, StoredResponse
from booking_postgres.driver.pipeline import Row, Statement, StatementFailed

_WRITE_NAME: Final = "write group"
_LOCK_AND_LOAD: Final = """
    SELECT * FROM booking.lock_and_load_many_2(
        %(users)s::text[], %(members)s::integer[], %(in)s::integer[], %(seats)s::uuid[], %(slots)s::smallint[],
        %(events)s::uuid[], %(key_members)s::integer[], %(operations)s::text[], %(keys)s::text[], %(bounds)s::text[])
"""
_WRITE: Final = """
    SELECT booking.write_many_2(
        %(slot)s::smallint[], %(booking)s::uuid[], %(event)s::uuid[], %(user)s::text[], %(total)s::numeric[],
        %(currency)s::text[], %(created)s::timestamptz[], %(expires)s::timestamptz[], %(correlation)s::text[],
        %(actor)s::text[], %(actor_id)s::text[], %(message)s::uuid[], %(body)s::text[], %(trace)s::text[],
        %(c_n)s::integer[], %(c_seat)s::uuid[], %(c_row)s::text[], %(c_number)s::integer[], %(c_price)s::numeric[],
        %(k_n)s::integer[], %(k_operation)s::text[], %(k_key)s::text[], %(k_fingerprint)s::text[],
        %(k_answer)s::text[], %(key_seconds)s::double precision)
"""


@frozen
class _Loaded:
    """The row of `lock_and_load_many_2`, in its order. Wanted seats, events and members are numbered from 1."""

    now: datetime
    e_n: Sequence[int] | None
    e_name: Sequence[str]
    e_starts_at: Sequence[datetime]
    e_status: Sequence[str]
    e_currency: Sequence[str]
    e_ages: Sequence[bool]
    e_refreshed_at: Sequence[datetime]
    e_closed: Sequence[bool]
    users: Sequence[str]
    pending_users: Sequence[str] | None
    pending: Sequence[int] | None
    s_n: Sequence[int] | None
    s_row: Sequence[str]
    s_number: Sequence[int]
    s_price: Sequence[Decimal]
    blocked: Sequence[int]
    known: Sequence[int] | None
    taken: Sequence[int] | None
    overdue: Sequence[int] | None
    k_members: Sequence[int] | None
    k_fingerprint: Sequence[str]
    k_answer: Sequence[str | None]
    k_created_at: Sequence[datetime]


@frozen
class _Event:
    """One event of the group, as the database knows it."""

    event: TicketedEvent
    refreshed_at: datetime | None
    closed: bool


def lock_and_load_group(requests: Sequence[SeatRequest], timeouts: Sequence[str] | None) -> Statement:
    """Return the statement of the first round trip.

    `timeouts`: of lock, statement and idling, in this order; None leaves the caller's as they are.
    """
    events = _numbered_events(requests)
    wanted = [
        (member, events[request.event_id], seat_id)
        for member, request in enumerate(requests, 1)
        for seat_id in request.seat_ids
    ]
    keys = [(member, key) for member, request in enumerate(requests, 1) if (key := request.idempotency) is not None]
    values: dict[str, Any] = {
        "users": _texts(request.user_id for request in requests),
        "members": _plain(member for member, _, _ in wanted),
        "in": _plain(event for _, event, _ in wanted),
        "seats": _ids(seat_id for _, _, seat_id in wanted),
        "slots": _plain(map(slot_of_event, events)),
        "events": _ids(events),
        "key_members": _plain(member for member, _ in keys) if keys else None,
        "operations": _texts(key.operation for _, key in keys) if keys else None,
        "keys": _texts(key.key for _, key in keys) if keys else None,
        "bounds": None if timeouts is None else _texts(timeouts),
    }
    return Statement(_LOCK_AND_LOAD, values, "lock and load group", sets_timeouts=True)


def loaded_group(
    requests: Sequence[SeatRequest], row: Row, idempotency_hours: float
) -> list[MemberFacts | StoredResponse | IdempotencyKeyReused | Deferral]:
    """Interpret the row of `lock_and_load_group`, member by member."""
    loaded = _Loaded(*row)
    responses = _responses_in(requests, loaded, idempotency_hours)
    events = _events_in(requests, loaded)
    seats = {n: (loaded.s_row[i], loaded.s_number[i], loaded.s_price[i]) for i, n in enumerate(loaded.s_n or ())}
    pending = dict(zip(loaded.pending_users or (), loaded.pending or (), strict=True))
    users, blocked = frozenset(loaded.users), frozenset(loaded.blocked)
    known, taken, overdue = (frozenset(numbers or ()) for numbers in (loaded.known, loaded.taken, loaded.overdue))
    found: list[MemberFacts | StoredResponse | IdempotencyKeyReused | Deferral] = []
    first = 1
    for member, request in enumerate(requests, 1):
        numbered = tuple(enumerate(request.seat_ids, first))
        first += len(numbered)
        if member in responses:
            found.append(responses[member])
            continue
        event = events.get(request.event_id)
        found.append(
            MemberFacts(
                now=loaded.now,
                event=event.event if event else None,
                closed=event is not None and event.closed,
                refreshed_at=event.refreshed_at if event else None,
                wanted=request.seat_ids,
                seats={
                    seat_id: Seat(seat_id=seat_id, row=seats[n][0], number=seats[n][1], price=seats[n][2])
                    for n, seat_id in numbered
                    if n in seats
                },
                known=frozenset(seat_id for n, seat_id in numbered if n in known) if member in blocked else None,
                taken=frozenset([seat_id for n, seat_id in numbered if n in taken]),
                overdue_seats=frozenset([seat_id for n, seat_id in numbered if n in overdue]),
                pending=pending.get(request.user_id, 0),
                user_is_locked=request.user_id in users,
            )
        )
    return found


def insert_group(new: Sequence[NewBooking], idempotency_hours: float) -> Statement:
    """Return one statement that writes new bookings as `reservation.insert_booking` does, with their responses."""
    bookings = [each.booking for each in new]
    entries, events = [each.new_history[0] for each in bookings], [each.new_events[0] for each in bookings]
    claims = [(n, seat) for n, booking in enumerate(bookings, 1) for seat in booking.seats]
    keys = [(n, each.key, each.response) for n, each in enumerate(new, 1) if each.key is not None]
    values: dict[str, Any] = {
        "slot": _plain(slot_of_booking(booking.booking_id) for booking in bookings),
        "booking": _ids(booking.booking_id for booking in bookings),
        "event": _ids(booking.event_id for booking in bookings),
        "user": _texts(booking.user_id for booking in bookings),
        "total": _plain(booking.total.amount for booking in bookings),
        "currency": _plain(booking.total.currency for booking in bookings),
        "created": _times(booking.created_at for booking in bookings),
        "expires": _times(booking.expires_at for booking in bookings),
        "correlation": _texts(booking.correlation_id for booking in bookings),
        "actor": _plain(entry.actor.value for entry in entries),
        "actor_id": _texts(entry.actor_id for entry in entries),
        "message": _ids(event.message_id for event in events),
        "body": _texts(encode(event) for event in events),
        "trace": _texts(each.traceparent for each in new),
        "c_n": _plain(n for n, _ in claims),
        "c_seat": _ids(seat.seat_id for _, seat in claims),
        "c_row": _texts(seat.row for _, seat in claims),
        "c_number": _plain(seat.number for _, seat in claims),
        "c_price": _plain(seat.price for _, seat in claims),
        "k_n": _plain(n for n, _, _ in keys) if keys else None,
        "k_operation": _texts(key.operation for _, key, _ in keys) if keys else None,
        "k_key": _texts(key.key for _, key, _ in keys) if keys else None,
        "k_fingerprint": _texts(key.fingerprint for _, key, _ in keys) if keys else None,
        "k_answer": _texts(response for _, _, response in keys) if keys else None,
        "key_seconds": idempotency_hours * 3600,
    }
    return Statement(_WRITE, values, _WRITE_NAME)


def translate_write(failure: StatementFailed) -> None:
    """Raise SeatAlreadyReserved, without seats, if the write of a group has met a live claim."""
    if failure.name == _WRITE_NAME and isinstance(failure.error, UniqueViolation):
        raise SeatAlreadyReserved() from failure.error


def _numbered_events(requests: Iterable[SeatRequest]) -> dict[UUID, int]:
    """Number the events of the group from 1, in the order of their first member."""
    events: dict[UUID, int] = {}
    for request in requests:
        events.setdefault(request.event_id, len(events) + 1)
    return events


def _events_in(requests: Sequence[SeatRequest], loaded: _Loaded) -> Mapping[UUID, _Event]:
    ids = list(_numbered_events(requests))
    return {
        ids[n - 1]: _Event(
            TicketedEvent(
                event_id=ids[n - 1],
                name=loaded.e_name[i],
                starts_at=loaded.e_starts_at[i].astimezone(UTC),
                status=SaleStatus(loaded.e_status[i]),
                currency=loaded.e_currency[i],
            ),
            loaded.e_refreshed_at[i].astimezone(UTC) if loaded.e_ages[i] else None,
            loaded.e_closed[i],
        )
        for i, n in enumerate(loaded.e_n or ())
    }


def _responses_in(
    requests: Sequence[SeatRequest], loaded: _Loaded, idempotency_hours: float
) -> dict[int, StoredResponse | IdempotencyKeyReused | Deferral]:
    """Interpret the keys that exist, by member; a response that is too old is treated as absent."""
    responses: dict[int, StoredResponse | IdempotencyKeyReused | Deferral] = {}
    for i, member in enumerate(loaded.k_members or ()):
        key, text = requests[member - 1].idempotency, loaded.k_answer[i]
        if (loaded.now - loaded.k_created_at[i]).total_seconds() > idempotency_hours * 3600:
            continue
        if key is None or key.fingerprint != loaded.k_fingerprint[i]:
            responses[member] = IdempotencyKeyReused()
        else:
            responses[member] = Deferral.IDEMPOTENCY_KEY if text is None else StoredResponse(text=text)
    return responses


def _plain(values: Iterable[object]) -> str:
    """Write an array of values whose text needs no quotes: numbers, currencies, names of an enum."""
    return f"{{{','.join(map(str, values))}}}"


def _ids(values: Iterable[UUID]) -> str:
    return f"{{{','.join([value.hex for value in values])}}}"


def _times(values: Iterable[datetime]) -> str:
    return f"{{{','.join([value.isoformat() for value in values])}}}"


def _texts(values: Iterable[str | None]) -> str:
    """Write an array of texts: quoted, with backslashes before quotes and backslashes; None is NULL."""
    return f"{{{','.join([_quoted(value) for value in values])}}}"


def _quoted(text: str | None) -> str:
    if text is None:
        return "NULL"
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
