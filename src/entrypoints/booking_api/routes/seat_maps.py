"""The route of an event's seats, their JSON, and the cache of encoded ones."""

from collections.abc import Callable
from decimal import Decimal
from threading import Lock
from typing import Any
from uuid import UUID

from attrs import define, field
from cachetools import LRUCache
from flask import Response
from msgspec import Struct

from booking_api.auth.tokens import Identity
from booking_api.http.bodies import success_body
from booking_api.http.flask_app import ApiFlask, ApiRequest, json_response
from booking_api.routes.events import EVENTS, event_id_in
from booking_api.service import Service
from booking_core import SeatMap, list_seats
from booking_core.domain.values import SeatStatus, written_in

_Key = tuple[UUID, str]
_Encoded = tuple[int, bytes]


def add_seat_map_route(app: ApiFlask, service: Service) -> None:
    """Add /api/v1/events/{eventId}/seats."""
    cache = SeatMapCache()

    def seats(request: ApiRequest, identity: Identity, event_id: str) -> Response:
        """200 with all seats of an event."""
        seat_map = list_seats(event_id_in(event_id), store=service.store, catalog_cache=service.catalog_cache)
        return json_response(cache.body(seat_map))

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


@define(eq=False)
class SeatMapCache:
    """The bodies of seat maps, hundreds of kilobytes each, encoded again only when a map has changed.

    Keeps the bodies of the events requested last, `most_bytes` in all. Safe to use from many threads. No body is stale:
    the caller has read the map just now, and a body is used only for the version of the map that it was encoded from.
    A map without a version is encoded every time.
    """

    most_bytes: int = 8 * 2**20
    encode: Callable[[SeatMap], bytes] = lambda seat_map: success_body(seat_map_json(seat_map))
    _bodies: "LRUCache[_Key, _Encoded]" = field(init=False)
    _lock: Lock = field(factory=Lock, init=False)

    def __attrs_post_init__(self) -> None:
        self._bodies = LRUCache(self.most_bytes, getsizeof=lambda encoded: len(encoded[1]))

    def body(self, seat_map: SeatMap) -> bytes:
        """The whole body of the response."""
        event, version = seat_map.event.event, seat_map.version
        if version is None:
            return self.encode(seat_map)
        key = event.event_id, event.currency
        with self._lock:
            cached = self._bodies.get(key)
        if cached is not None and cached[0] == version:
            return cached[1]
        body = self.encode(seat_map)
        with self._lock:
            self._bodies.pop(key, None)
            if len(body) <= self.most_bytes:
                self._bodies[key] = version, body
        return body
