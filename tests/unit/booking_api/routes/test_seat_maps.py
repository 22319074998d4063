"""Seat maps in JSON, to the letter, and written again only when they may be different."""

import gzip
import json
from collections.abc import Sequence
from decimal import Decimal
from uuid import UUID

import pytest
from attrs import evolve

from booking_api.http.bodies import success_body
from booking_api.routes.seat_maps import (
    Form,
    SeatMapCache,
    body_of_map,
    layout_of,
    seat_map_json,
)
from booking_core import SeatMap
from booking_core.domain.values import Seat, SeatStatus
from booking_core.ports import KnownEvent, SeatOnMap
from tests.support.builders import EVENT_ID, RESERVED_AT, event


class Encoder:
    """Encodes like the cache's own, and keeps the maps that it encoded."""

    def __init__(self) -> None:
        self.maps: list[SeatMap] = []

    def __call__(self, seat_map: SeatMap, form: Form, layout: str) -> bytes:
        self.maps.append(seat_map)
        return body_of_map(seat_map, form, layout)


def seats(*statuses: SeatStatus, price: str = "75") -> tuple[SeatOnMap, ...]:
    return tuple(
        SeatOnMap(seat=Seat(seat_id=UUID(int=n), row="A", number=n, price=Decimal(price)), status=status)
        for n, status in enumerate(statuses, start=1)
    )


def version_of(shown: object, known: list[object] = []) -> int:  # noqa: B006 - kept on purpose
    """One version for each tuple object; a list may change, and has none."""
    if not any(each is shown for each in known):
        known.append(shown)
    return next(number for number, each in enumerate(known) if each is shown)


def map_of(shown: Sequence[SeatOnMap], *, currency: str = "USD", event_id: UUID = EVENT_ID) -> SeatMap:
    known = evolve(event(starts_at=RESERVED_AT, currency=currency), event_id=event_id)
    version = version_of(shown) if isinstance(shown, tuple) else None
    known_event = KnownEvent(event=known, closed_at=None, complete=True, age_seconds=None)
    return SeatMap(event=known_event, seats=shown, version=version)


def test_a_seat_map_to_the_letter() -> None:
    shown = (
        *seats(SeatStatus.AVAILABLE, SeatStatus.HELD),
        SeatOnMap(seat=Seat(seat_id=UUID(int=3), row='ü"', number=0, price=Decimal("7.5")), status=SeatStatus.SOLD),
    )
    ids = [f"00000000-0000-0000-0000-00000000000{n}" for n in (1, 2, 3)]

    assert success_body(seat_map_json(map_of(shown))).decode() == (
        f'{{"success":true,"data":{{"eventId":"{EVENT_ID}","currency":"USD","seats":['
        f'{{"seatId":"{ids[0]}","row":"A","number":1,"price":75.00,"status":"AVAILABLE"}},'
        f'{{"seatId":"{ids[1]}","row":"A","number":2,"price":75.00,"status":"HELD"}},'
        f'{{"seatId":"{ids[2]}","row":"ü\\"","number":0,"price":7.50,"status":"SOLD"}}]}}}}'
    )


@pytest.mark.parametrize(
    ("price", "currency", "shown"),
    [("0", "USD", b"0.00"), ("500.00", "JPY", b"500"), ("1.5", "KWD", b"1.500"), ("1.125", "USD", b"1.125")],
)
def test_prices_have_the_decimals_of_the_currency(price: str, currency: str, shown: bytes) -> None:
    body = success_body(seat_map_json(map_of(seats(SeatStatus.SOLD, price=price), currency=currency)))

    assert b'"price":' + shown + b"," in body


def test_the_same_seats_are_written_once() -> None:
    encoder, shown = Encoder(), seats(SeatStatus.SOLD)

    cache = SeatMapCache(encode=encoder)
    bodies = {cache.encoded(map_of(shown)).body for _ in range(3)}

    assert bodies == {success_body(seat_map_json(map_of(shown)))}
    assert len(encoder.maps) == 1


def test_what_may_be_different_is_written_anew() -> None:
    encoder = Encoder()
    cache = SeatMapCache(encode=encoder)
    shown, later, changing = seats(SeatStatus.HELD), seats(SeatStatus.SOLD), list(seats(SeatStatus.HELD))
    maps = [map_of(shown), map_of(later), map_of(shown), map_of(shown, currency="JPY"), map_of(changing)]
    changing_then = map_of(changing)

    bodies = [cache.encoded(each).body for each in maps]
    changing[:] = later

    assert bodies == [success_body(seat_map_json(each)) for each in (*maps[:4], map_of(shown))]
    assert cache.encoded(changing_then).body == success_body(seat_map_json(map_of(later)))
    assert len(encoder.maps) == 6
    other = map_of(shown, event_id=UUID(int=9))
    assert str(UUID(int=9)).encode() in cache.encoded(other).body


def test_no_more_is_kept_than_may_be() -> None:
    shown = seats(SeatStatus.HELD)
    size = len(success_body(seat_map_json(map_of(shown))))
    encoder = Encoder()
    cache = SeatMapCache(most_bytes=2 * size, encode=encoder)
    maps = [map_of(shown, event_id=UUID(int=n)) for n in range(3)]

    def is_written(number: int) -> bool:
        before = len(encoder.maps)
        cache.encoded(maps[number])
        return len(encoder.maps) > before

    assert [is_written(n) for n in (0, 1, 0, 2, 0, 2)] == [True, True, False, True, False, False]
    assert is_written(1), "nobody had asked for it for longest"
    for _ in range(3):
        maps[1] = map_of(seats(SeatStatus.HELD), event_id=UUID(int=1))
        assert is_written(1)
    assert not is_written(2), "what is written anew is not counted twice"
    small = SeatMapCache(most_bytes=size - 1)
    assert small.encoded(maps[0]).body == small.encoded(maps[0]).body


def test_the_compact_form_has_a_letter_for_each_seat_in_order() -> None:
    shown = seats(SeatStatus.AVAILABLE, SeatStatus.HELD, SeatStatus.SOLD, SeatStatus.AVAILABLE)
    encoded = SeatMapCache().encoded(map_of(shown), Form.COMPACT)
    assert json.loads(encoded.body)["data"] == {
        "eventId": str(EVENT_ID),
        "layout": encoded.layout,
        "statuses": "AHSA",
    }


def test_a_layout_changes_with_the_seats_and_not_with_their_statuses() -> None:
    shown = seats(SeatStatus.AVAILABLE, SeatStatus.AVAILABLE)
    layout = layout_of(map_of(shown))
    assert layout == layout_of(map_of(seats(SeatStatus.SOLD, SeatStatus.HELD)))
    first, second = shown
    others = [
        (second, first),
        (first,),
        (evolve(first, seat=evolve(first.seat, price=Decimal(80))), second),
        (evolve(first, seat=evolve(first.seat, number=9)), second),
        (evolve(first, seat=evolve(first.seat, row="A1")), second),
    ]
    assert len({layout, *(layout_of(map_of(other)) for other in others)}) == 6
    assert layout != layout_of(map_of(shown, currency="EUR"))


def test_a_compressed_body_has_the_tag_of_the_plain_one() -> None:
    encoder = Encoder()
    cache, shown = SeatMapCache(encode=encoder), seats(*[SeatStatus.SOLD] * 500)
    plain, compressed = cache.encoded(map_of(shown)), cache.encoded(map_of(shown), is_gzipped=True)
    assert gzip.decompress(compressed.body) == plain.body
    assert len(compressed.body) < len(plain.body) / 5
    assert (compressed.tag, compressed.layout) == (plain.tag, plain.layout)
    assert cache.encoded(map_of(shown), is_gzipped=True) is compressed
    assert len(encoder.maps) == 1


def test_a_tag_is_that_of_the_content_whatever_the_process() -> None:
    shown = [seats(SeatStatus.SOLD), seats(SeatStatus.SOLD), seats(SeatStatus.HELD)]
    tags = [SeatMapCache().encoded(map_of(each)).tag for each in shown]
    assert (tags[0] == tags[1], tags[0] == tags[2]) == (True, False)
