"""Answers with whole seat maps, hundreds of kilobytes each: written once for as long as nothing has changed."""

from collections import OrderedDict
from threading import Lock
from typing import Final
from uuid import UUID

from attrs import define, field

from booking_api.http.envelope import enveloped
from booking_api.http.rendering import seat_map_json
from booking_core import SeatMap
from booking_core.ports import SeatOnMap

MOST_BYTES: Final = 8 * 2**20

_Key = tuple[UUID, str]
_Written = tuple[tuple[SeatOnMap, ...], bytes]


@define(eq=False)
class SeatMapResponses:
    """Writes seat maps. Keeps the latest answer of the events looked at last, `most_bytes` in all; for several threads.

    Every map was read just now: what is kept is no answer to "who has which seat", only how that very tuple of seats is
    written. A store may give the same tuple again when nothing has changed, and nobody can change a tuple of frozen
    values; a list is written each time.
    """

    most_bytes: int = MOST_BYTES
    _written: OrderedDict[_Key, _Written] = field(factory=OrderedDict, init=False)
    _bytes: int = field(default=0, init=False)
    _turn: Lock = field(factory=Lock, init=False)

    def of(self, seat_map: SeatMap) -> bytes:
        """The whole body of the answer."""
        event, seats = seat_map.event.event, seat_map.seats
        if not isinstance(seats, tuple):
            return enveloped(seat_map_json(seat_map))
        key = event.event_id, event.currency
        with self._turn:
            kept = self._written.get(key)
            if kept is not None and kept[0] is seats:
                self._written.move_to_end(key)
                return kept[1]
        body = enveloped(seat_map_json(seat_map))
        self._keep(key, (seats, body))
        return body

    def _keep(self, key: _Key, written: _Written) -> None:
        with self._turn:
            before = self._written.pop(key, None)
            self._written[key] = written
            self._bytes += len(written[1]) - (len(before[1]) if before else 0)
            while self._bytes > self.most_bytes:
                self._bytes -= len(self._written.popitem(last=False)[1][1])
