"""Halls of any size are brought in from a real Catalog Service while a customer waits, and shown."""

import json
import time
from typing import Final
from uuid import uuid4

import pytest

from booking_dev.tokens import DevTokens
from tests.support.catalog_server import Handler, reply, running, says
from tests.support.jwks import Jwks
from tests.support.live import BOOKINGS, Live
from tests.support.postgres.stage import Stage

EVENT: Final = {"name": "Aida", "startsAt": "2031-01-01T19:00:00Z", "status": "ON_SALE", "currency": "USD"}


@pytest.mark.parametrize(
    ("seats", "bytes_more", "seconds"),
    [
        (5_000, 0, 5.0),
        pytest.param(80_000, 0, 20.0, marks=pytest.mark.slow("a stadium")),
        pytest.param(80_000, 400, 20.0, marks=pytest.mark.slow("a stadium")),
    ],
)
def test_a_hall_is_shown_to_the_first_who_asks(
    stage: Stage, tokens: DevTokens, jwks: Jwks, seats: int, bytes_more: int, seconds: float
) -> None:
    """`bytes_more`: of fields that the service does not know, for each seat. The last has 41 MB."""
    event_id, more = str(uuid4()), {"description": "x" * bytes_more}
    hall = [
        {"seatId": str(uuid4()), "row": str(n // 100), "number": n % 100, "price": 75.5, **more} for n in range(seats)
    ]
    answers = {"event": says({"eventId": event_id, **EVENT}), "seats": reply(200, _body(hall))}

    def answer(handler: Handler) -> None:
        answers["seats" if "/seats" in handler.path else "event"](handler)

    with running() as server:
        server.answer = answer
        with Live.over(stage, tokens, jwks, BOOKING_CATALOG_URL=server.url) as live:
            ann = live.customer("ann")
            began = time.monotonic()
            shown = ann.call("GET", f"/api/v1/events/{event_id}/seats")
            took = time.monotonic() - began
            assert len(shown.data["seats"]) == seats
            assert took < seconds
            order = {"eventId": event_id, "seatIds": [seat["seatId"] for seat in hall[:: seats // 8][:8]]}
            assert ann.call("POST", BOOKINGS, order).status == 201
            again = ann.call("GET", f"/api/v1/events/{event_id}/seats").data["seats"]
            assert sum(seat["status"] == "HELD" for seat in again) == 8


def _body(hall: list[dict[str, object]]) -> bytes:
    return json.dumps({"success": True, "data": hall}).encode()
