"""Answers with whole seat maps, hundreds of kilobytes each: written once for as long as nothing has changed."""

from collections import OrderedDict
from threading import Lock
from typing import Final
from uuid import UUID

from attrs import define, field

from booking_api.http.envelope import enveloped
from booking_api.http.rendering import seat_map_json
from booking_core import SeatMap

MOST_BYTES: Final = 8 * 2**20

_Key = tuple[UUID, str]
_Written = tuple[int, bytes]


@define(eq=False)
class SeatMapResponses:
    """Writes seat maps. Keeps the latest answer of the events looked at last, `most_bytes` in all; for several threads.

    Every map was read just now. A kept body is used only for the version that it was written for; a map without a
    version is written each time.
    """

    most_bytes: int = MOST_BYTES
    _written: OrderedDict[_Key, _Written] = field(factory=OrderedDict, init=False)
    _bytes: int = field(default=0, init=False)
    _turn: Lock = field(factory=Lock, init=False)

    def of(self, seat_map: SeatMap) -> bytes:
        """The whole body of the answer."""
        event, version = seat_map.event.event, seat_map.version
        if version is None:
            return enveloped(seat_map_json(seat_map))
        key = event.event_id, event.currency
        with self._turn:
            kept = self._written.get(key)
            if kept is not None and kept[0] == version:
                self._written.move_to_end(key)
                return kept[1]
        body = enveloped(seat_map_json(seat_map))
        self._keep(key, (version, body))
        return body

    def _keep(self, key: _Key, written: _Written) -> None:
        with self._turn:
            before = self._written.pop(key, None)
            self._written[key] = written
            self._bytes += len(written[1]) - (len(before[1]) if before else 0)
            while self._bytes > self.most_bytes:
                self._bytes -= len(self._written.popitem(last=False)[1][1])
