"""The route of an event's seats, their JSON in two forms, and the cache of encoded ones.

Many customers poll a map that seldom changes: a response has an ETag and may be compressed, and its compact form has a
letter for each seat.
"""

import gzip
from collections.abc import Callable
from decimal import Decimal
from enum import Enum
from hashlib import blake2b
from threading import Lock
from typing import Any, Final
from uuid import UUID

from attrs import define, field, frozen
from cachetools import LRUCache
from flask import Response
from msgspec import Struct

from booking_api.auth.tokens import Identity
from booking_api.http.bodies import success_body
from booking_api.http.flask_app import LAYOUT_HEADER, ApiFlask, ApiRequest, json_response
from booking_api.http.query import query_of, seat_map_form_of
from booking_api.routes.events import EVENTS, event_id_in
from booking_api.service import Service
from booking_core import SeatMap, list_seats
from booking_core.domain.values import SeatStatus, written_in

_GZIP_LEVEL: Final = 4  # a fifth of the CPU of the best, and a tenth longer
_DIGEST_BYTES: Final = 12
_LETTERS: Final = {SeatStatus.AVAILABLE: "A", SeatStatus.HELD: "H", SeatStatus.SOLD: "S"}


class Form(Enum):
    """The form of a seat map: all of its seats, or a letter for each of them."""

    FULL = "full"
    COMPACT = "compact"


_Key = tuple[UUID, str, Form, bool]


def add_seat_map_route(app: ApiFlask, service: Service) -> None:
    """Add /api/v1/events/{eventId}/seats."""
    cache = SeatMapCache()

    def seats(request: ApiRequest, identity: Identity, event_id: str) -> Response:
        """200 with all seats of an event; 304 for a client that has them as they are."""
        form = Form.COMPACT if seat_map_form_of(query_of(request.environ)) else Form.FULL
        seat_map = list_seats(event_id_in(event_id), store=service.store, catalog_cache=service.catalog_cache)
        is_gzipped = request.accept_encodings["gzip"] > 0
        encoded = cache.encoded(seat_map, form, is_gzipped)
        request.may_be_cached = True
        response = json_response(encoded.body)
        response.headers["Vary"] = "Accept-Encoding"
        response.headers[LAYOUT_HEADER] = encoded.layout
        if is_gzipped:
            response.headers["Content-Encoding"] = "gzip"
        # Weak: the compressed body has the same.
        response.set_etag(encoded.tag, weak=True)
        response.make_conditional(request)
        return response

    app.add_guarded("GET", f"{EVENTS}/<event_id>/seats", "list_seats", seats)


class _SeatJson(Struct, rename="camel", gc=False):
    """One of thousands in a response: creating dicts takes several times as long."""

    seat_id: UUID
    row: str
    number: int
    price: Decimal
    status: SeatStatus


def seat_map_json(seat_map: SeatMap) -> dict[str, Any]:
    """All seats of an event, by row and number as people read them, with their statuses; holders are not shown."""
    event = seat_map.event.event
    prices: dict[Decimal, Decimal] = {}
    seats = []
    for entry in seat_map.seats:
        seat = entry.seat
        price = prices.get(seat.price)
        if price is None:
            price = prices[seat.price] = written_in(seat.price, event.currency)
        seats.append(_SeatJson(seat.seat_id, seat.row, seat.number, price, entry.status))
    return {"eventId": event.event_id, "currency": event.currency, "seats": seats}


def compact_seat_map_json(seat_map: SeatMap, layout: str) -> dict[str, Any]:
    """The statuses of the seats, in the order of the other form as long as `layout` is the same: A, H or S for each."""
    statuses = "".join([_LETTERS[entry.status] for entry in seat_map.seats])
    return {"eventId": seat_map.event.event.event_id, "layout": layout, "statuses": statuses}


def layout_of(seat_map: SeatMap) -> str:
    """A text that changes with the order, the names and the prices of the seats shown, and with nothing else."""
    digest = blake2b(seat_map.event.event.currency.encode(), digest_size=_DIGEST_BYTES)
    for entry in seat_map.seats:
        seat = entry.seat
        digest.update(b"%b%b\0%d %b\0" % (seat.seat_id.bytes, seat.row.encode(), seat.number, str(seat.price).encode()))
    return digest.hexdigest()


def body_of_map(seat_map: SeatMap, form: Form, layout: str) -> bytes:
    """The body of a response in this form."""
    return success_body(seat_map_json(seat_map) if form is Form.FULL else compact_seat_map_json(seat_map, layout))


@frozen
class EncodedMap:
    """A body, compressed or not, with its ETag and the layout of its seats."""

    body: bytes
    tag: str
    layout: str


@define(eq=False)
class SeatMapCache:
    """The bodies of seat maps, hundreds of kilobytes each, encoded again only when a map has changed.

    Keeps the bodies of the events requested last, `most_bytes` in all: a stadium of 80,000 seats has 10 MB, and 4 MB
    compressed. Safe to use from many threads. No body is stale: the caller has read the map just now, and a body is
    used only for the version of the map that it was encoded from. A map without a version is encoded every time.
    """

    most_bytes: int = 48 * 2**20
    encode: Callable[[SeatMap, Form, str], bytes] = body_of_map
    _bodies: "LRUCache[_Key, tuple[int, EncodedMap]]" = field(init=False)
    _lock: Lock = field(factory=Lock, init=False)

    def __attrs_post_init__(self) -> None:
        self._bodies = LRUCache(self.most_bytes, getsizeof=lambda encoded: len(encoded[1].body))

    def encoded(self, seat_map: SeatMap, form: Form = Form.FULL, is_gzipped: bool = False) -> EncodedMap:
        """The whole body of the response, compressed if that is wanted."""
        event, version = seat_map.event.event, seat_map.version
        key = event.event_id, event.currency, form, is_gzipped
        if version is not None:
            with self._lock:
                cached = self._bodies.get(key)
            if cached is not None and cached[0] == version:
                return cached[1]
        encoded = self._encode(seat_map, form, is_gzipped)
        if version is not None:
            with self._lock:
                self._bodies.pop(key, None)
                if len(encoded.body) <= self.most_bytes:
                    self._bodies[key] = version, encoded
        return encoded

    def _encode(self, seat_map: SeatMap, form: Form, is_gzipped: bool) -> EncodedMap:
        if is_gzipped:
            plain = self.encoded(seat_map, form)
            return EncodedMap(gzip.compress(plain.body, _GZIP_LEVEL, mtime=0), plain.tag, plain.layout)
        layout = layout_of(seat_map)
        body = self.encode(seat_map, form, layout)
        return EncodedMap(body, blake2b(body, digest_size=_DIGEST_BYTES).hexdigest(), layout)
