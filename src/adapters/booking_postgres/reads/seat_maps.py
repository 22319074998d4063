"""Seat maps: the seats of an event are cached under a fingerprint, their claims are always read (ADR 0017).

Ids, rows, numbers and prices seldom change, and sending and parsing them takes ten times as long as checking whether
they have changed. They are read together with a fingerprint of their rows; the next read fetches fingerprint and claims
in one snapshot, and uses the cached seats if the fingerprint is the same. A change of any kind changes the fingerprint.
If two states of an event's seats ever shared the 64 bits, the map would show an old price; reserving reads the seats.
"""

from collections import OrderedDict
from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import count
from struct import Struct
from threading import Lock
from typing import Final
from uuid import UUID

from attrs import define, field

from booking_core.domain.identity import slot_of_event
from booking_core.domain.values import Seat, SeatStatus, reading_order
from booking_core.ports.reads import SeatList, SeatOnMap
from booking_postgres.driver.pipeline import Rows, Statement
from booking_postgres.driver.reader import Reader

# 500 to 900 bytes each: at most about 110 MB in a process. A stadium of 80,000 seats has to fit: read anew for each
# viewer, it would cost a second of CPU each time.
MOST_SEATS: Final = 120_000
_IDS: Final = Struct("16s")

# Covers every column that is shown. Each hash is the seed of the next; XOR makes the order of rows irrelevant.
_FINGERPRINT: Final = """
    SELECT bit_xor(hash_numeric_extended(s.price, hashtextextended(s.row_name,
        uuid_hash_extended(s.seat_id, 2 * s.number::bigint + s.withdrawn::integer)))) AS seats
    FROM booking.seats s WHERE s.slot = %(slot)s AND s.event_id = %(event_id)s
"""
# Each look-up is one of a key: OFFSET 0 keeps the planner from joining in another way.
_SOME: Final = """
    WITH clock AS MATERIALIZED (SELECT clock_timestamp() AS now)
    SELECT s.seat_id, CASE WHEN c.seat_id IS NULL OR c.held_until <= now THEN 'AVAILABLE'
        WHEN c.held_until IS NULL THEN 'SOLD' ELSE 'HELD' END
    FROM clock, unnest(%(seat_ids)s::uuid[]) AS g (seat_id), LATERAL (
        SELECT s.seat_id FROM booking.seats s
        WHERE s.slot = %(slot)s AND s.event_id = %(event_id)s AND s.seat_id = g.seat_id AND NOT s.withdrawn OFFSET 0) s
    LEFT JOIN LATERAL (
        SELECT c.seat_id, c.held_until FROM booking.claims c
        WHERE c.slot = %(slot)s AND c.event_id = %(event_id)s AND c.seat_id = s.seat_id AND c.ended_at IS NULL
        OFFSET 0) c ON true
"""
# Concatenated ids of 16 bytes each: the elements of an array would be encoded and decoded one by one.
_WITH_CLAIMED: Final = f"""
    WITH clock AS MATERIALIZED (SELECT clock_timestamp() AS now), fingerprint AS MATERIALIZED ({_FINGERPRINT}),
    claimed AS MATERIALIZED (
        SELECT string_agg(uuid_send(c.seat_id), '') FILTER (WHERE c.held_until IS NULL) AS sold,
               string_agg(uuid_send(c.seat_id), '') FILTER (WHERE c.held_until > now) AS held,
               string_agg(uuid_send(c.seat_id), '') FILTER (WHERE c.held_until <= now) AS overdue
        FROM clock, booking.claims c WHERE c.slot = %(slot)s AND c.event_id = %(event_id)s AND c.ended_at IS NULL)
"""  # noqa: S608
_CLAIMED: Final = f"{_WITH_CLAIMED} SELECT fingerprint.seats, sold, held, overdue FROM fingerprint, claimed"  # noqa: S608
# One row without a seat has the fingerprint and the claims, the others have a seat each. Seats and claims are joined in
# Python: joined by the server, after wrong estimates, each seat could cost a look at every claim.
_ALL: Final = f"""
    {_WITH_CLAIMED}
    SELECT fingerprint.seats, sold, held, overdue, NULL::uuid AS seat_id, NULL::text AS row_name,
        NULL::integer AS number, NULL::numeric AS price, NULL::boolean AS withdrawn
    FROM fingerprint, claimed
    UNION ALL
    SELECT NULL, NULL, NULL, NULL, s.seat_id, s.row_name, s.number, s.price, s.withdrawn
    FROM booking.seats s WHERE s.slot = %(slot)s AND s.event_id = %(event_id)s
"""  # noqa: S608
# Ids of sold, held and overdue seats; None where there are none.
_Claimed = tuple[bytes | None, bytes | None, bytes | None]
_STATUS: Final = {status.value: status for status in SeatStatus}


class _SeatsByStatus(dict[bytes, tuple[int, SeatOnMap]]):
    """Seats with one status, by id, each with its place among all seats; created on first access."""

    def __init__(self, free: Sequence[SeatOnMap], places: Mapping[bytes, int], status: SeatStatus) -> None:
        super().__init__()
        self._free, self._places, self._status = free, places, status

    def __missing__(self, key: bytes) -> tuple[int, SeatOnMap]:
        place = self._places[key]
        made = self[key] = place, SeatOnMap(seat=self._free[place].seat, status=self._status)
        return made


@define(eq=False)
class _CachedSeats:
    """All seats of one event in their order, under one fingerprint."""

    fingerprint: int
    free: Sequence[SeatOnMap]
    withdrawn: frozenset[int]
    places: Mapping[bytes, int] = field(init=False)
    sold: _SeatsByStatus = field(init=False)
    held: _SeatsByStatus = field(init=False)
    _latest: tuple[_Claimed, SeatList] | None = field(default=None, init=False)

    def __attrs_post_init__(self) -> None:
        self.places = {entry.seat.seat_id.bytes: place for place, entry in enumerate(self.free)}
        self.sold = _SeatsByStatus(self.free, self.places, SeatStatus.SOLD)
        self.held = _SeatsByStatus(self.free, self.places, SeatStatus.HELD)

    def with_claims(
        self, sold: bytes | None, held: bytes | None, overdue: bytes | None, *, versions: Iterator[int]
    ) -> SeatList:
        """Return the seats under these claims; the list of the last call if the claims are the same."""
        claimed = sold, held, overdue
        latest = self._latest
        if latest is not None and latest[0] == claimed:
            return latest[1]
        shown = SeatList(seats=self._shown(*claimed), version=next(versions))
        self._latest = claimed, shown
        return shown

    def _shown(self, sold: bytes | None, held: bytes | None, overdue: bytes | None) -> tuple[SeatOnMap, ...]:
        shown = list(self.free)
        hidden = set(self.withdrawn)
        for ids, entries in ((sold, self.sold), (held, self.held)):
            for key in _each(ids):
                place, entry = entries[key]
                shown[place] = entry
                hidden.discard(place)
        hidden.difference_update(self.places[key] for key in _each(overdue))
        return tuple(entry for place, entry in enumerate(shown) if place not in hidden) if hidden else tuple(shown)


@define(eq=False)
class SeatMaps:
    """A reader of seat maps that caches `most_seats` seats, of the events read last. Safe to use from many threads."""

    reader: Reader
    most_seats: int = MOST_SEATS
    _events: OrderedDict[UUID, _CachedSeats] = field(factory=OrderedDict, init=False)
    _seats: int = field(default=0, init=False)
    _lock: Lock = field(factory=Lock, init=False)
    _versions: Iterator[int] = field(factory=count, init=False)

    def of(self, event_id: UUID) -> SeatList:
        """See `booking_core.ports.Reads.seats`."""
        values = {"slot": slot_of_event(event_id), "event_id": event_id}
        cached = self._cached(event_id)
        if cached is not None:
            [(fingerprint, *claimed)] = self.reader.rows(Statement(_CLAIMED, values))
            if fingerprint == cached.fingerprint:
                return cached.with_claims(*claimed, versions=self._versions)
        rows = self.reader.rows(Statement(_ALL, values))
        [(fingerprint, *claimed)] = [row[:4] for row in rows if row[4] is None]
        read = _cached_seats_of(fingerprint, [row[4:] for row in rows if row[4] is not None])
        self._cache(event_id, read if read.free else None)
        return read.with_claims(*claimed, versions=self._versions)

    def statuses(self, event_id: UUID, seat_ids: Collection[UUID]) -> Mapping[UUID, SeatStatus]:
        """See `booking_core.ports.Reads.seat_statuses`."""
        values = {"slot": slot_of_event(event_id), "event_id": event_id, "seat_ids": list(seat_ids)}
        return {seat_id: _STATUS[status] for seat_id, status in self.reader.rows(Statement(_SOME, values))}

    def _cached(self, event_id: UUID) -> _CachedSeats | None:
        with self._lock:
            cached = self._events.get(event_id)
            if cached is not None:
                self._events.move_to_end(event_id)
            return cached

    def _cache(self, event_id: UUID, cached: _CachedSeats | None) -> None:
        with self._lock:
            before = self._events.pop(event_id, None)
            self._seats -= len(before.free) if before else 0
            if cached is None or len(cached.free) > self.most_seats:
                return
            self._events[event_id] = cached
            self._seats += len(cached.free)
            while self._seats > self.most_seats:
                self._seats -= len(self._events.popitem(last=False)[1].free)


def _cached_seats_of(fingerprint: int, rows: Rows) -> _CachedSeats:
    read = [(Seat(seat_id=row[0], row=row[1], number=row[2], price=row[3]), row[4]) for row in rows]
    read.sort(key=lambda each: reading_order(each[0]))
    free = [SeatOnMap(seat=seat, status=SeatStatus.AVAILABLE) for seat, _ in read]
    return _CachedSeats(fingerprint, free, frozenset(place for place, (_, withdrawn) in enumerate(read) if withdrawn))


def _each(ids: bytes | None) -> Iterator[bytes]:
    return (key for (key,) in _IDS.iter_unpack(ids or b""))
