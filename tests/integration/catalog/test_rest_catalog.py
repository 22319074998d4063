"""RestCatalog against a Catalog Service that keeps its contract."""

import gzip
import json
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

import httpx2
import pytest

from booking_catalog.client import create
from booking_core.contracts.catalog import CatalogContract, CatalogFactory, Known
from booking_core.domain.errors import CatalogUnavailable
from booking_core.domain.values import Seat, TicketedEvent
from booking_core.ports.catalog import Catalog
from tests.integration.catalog.conftest import Connect
from tests.integration.catalog.samples import EVENT, EVENT_PATH, SEATS, SEATS_PATH, event_json, seat_json
from tests.support.catalog_server import Answer, CatalogServer, Handler, reply, says


def honest(known: Known) -> Answer:
    """Answers as the contract says, prices written exactly."""

    def answer(handler: Handler) -> None:
        url = urlsplit(handler.path)
        named = parse_qs(url.query).get("seatIds")
        event = next((event for event in known if f"/{event.event_id}" in url.path), None)
        if event is None:
            reply(404, '{"success": false}')(handler)
        elif url.path.endswith("/seats"):
            wanted = None if named is None else named[0].split(",")
            seats = [seat for seat in known[event] if wanted is None or str(seat.seat_id) in wanted]
            reply(200, f'{{"success": true, "data": [{",".join(map(written, seats))}]}}')(handler)
        else:
            says(event_json(event))(handler)

    return answer


def written(seat: Seat) -> str:
    return json.dumps(seat_json(seat, price="PRICE")).replace('"PRICE"', str(seat.price))


@pytest.fixture
def catalog_of(server: CatalogServer, connect: Connect) -> CatalogFactory:
    def make(known: Known) -> Catalog:
        server.answer = honest(known)
        return connect(timeout_seconds=5.0)

    return make


class TestRestCatalog(CatalogContract):
    """Every promise of the port."""


def test_it_asks_with_the_contract_s_words(server: CatalogServer, connect: Connect) -> None:
    server.answer = honest({EVENT: SEATS})
    catalog = connect()
    catalog.event(EVENT.event_id)
    catalog.seats(EVENT)
    catalog.seats(EVENT, [seat.seat_id for seat in SEATS])
    listed = f"{SEATS_PATH}?seatIds={SEATS[0].seat_id},{SEATS[1].seat_id}"
    assert server.paths == [EVENT_PATH, SEATS_PATH, listed]
    assert {headers["Accept-Encoding"] for headers in server.headers} == {"gzip"}


@pytest.mark.parametrize("coding", ["gzip", "x-gzip", "GZIP"])
def test_an_answer_may_be_compressed(server: CatalogServer, connect: Connect, coding: str) -> None:
    body = gzip.compress(json.dumps({"success": True, "data": event_json()}).encode())
    server.answer = reply(200, body, Content_Encoding=coding)
    assert connect().event(EVENT.event_id) == EVENT


def test_an_answer_may_come_in_chunks(server: CatalogServer, connect: Connect) -> None:
    def chunked(handler: Handler) -> None:
        handler.send_response(200)
        handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()
        content = json.dumps({"success": True, "data": event_json()}).encode()
        for place in range(0, len(content), 7):
            part = content[place : place + 7]
            handler.wfile.write(b"%x\r\n%s\r\n" % (len(part), part))
        handler.wfile.write(b"0\r\n\r\n")

    server.answer = chunked
    assert connect().event(EVENT.event_id) == EVENT


def test_many_seats_are_asked_for_a_hundred_at_a_time(server: CatalogServer, connect: Connect) -> None:
    server.answer = honest({EVENT: SEATS})
    found = connect().seats(EVENT, [UUID(int=number) for number in range(250)])
    assert found == SEATS
    assert [len(path.split(",")) for path in server.paths] == [100, 100, 50]


def test_seats_not_asked_for_are_dropped(server: CatalogServer, connect: Connect) -> None:
    server.answer = says([seat_json(seat) for seat in SEATS])
    assert connect().seats(EVENT, [SEATS[1].seat_id]) == [SEATS[1]]


def test_nothing_is_asked_for_no_seats_nor_before_the_first_question(server: CatalogServer, connect: Connect) -> None:
    catalog = connect()
    assert catalog.seats(EVENT, []) == []
    assert server.connections == 0


def test_connections_are_kept(server: CatalogServer, connect: Connect) -> None:
    server.answer = honest({EVENT: SEATS})
    catalog = connect()
    for _ in range(5):
        catalog.event(EVENT.event_id)
    assert (len(server.paths), server.connections) == (5, 1)


def test_a_connection_the_server_closed_meanwhile_is_no_failure(server: CatalogServer, connect: Connect) -> None:
    def once(handler: Handler) -> None:
        says(event_json())(handler)
        handler.close_connection = True  # without having said so

    server.answer = once
    catalog = connect(attempts=2)
    assert [catalog.event(EVENT.event_id) for _ in range(5)] == [EVENT] * 5


def test_base_url_with_path_and_user_works_and_logs_no_password(
    server: CatalogServer, connect: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    # An earlier test of this process may have quietened the library, as the service does.
    for name in ("httpx2", "httpcore2"):
        caplog.set_level("DEBUG", logger=name)
    server.answer = honest({EVENT: SEATS})
    base = server.url.replace("http://", "http://bob:s%40cret@")
    assert connect(f"{base}/catalog/").event(EVENT.event_id) == EVENT
    assert server.paths == [f"/catalog{EVENT_PATH}"]
    assert server.headers[0]["Authorization"] == httpx2.BasicAuth("bob", "s@cret")._auth_header
    assert caplog.text
    assert "cret" not in caplog.text


def test_cookies_are_not_kept(server: CatalogServer, connect: Connect) -> None:
    server.answer = reply(404, Set_Cookie="a=b; Path=/")
    catalog = connect()
    catalog.event(EVENT.event_id)
    catalog.event(EVENT.event_id)
    assert [headers.get("Cookie") for headers in server.headers] == [None, None]


def test_after_closing_there_is_no_answer(server: CatalogServer, connect: Connect) -> None:
    server.answer = honest({EVENT: SEATS})
    catalog = connect()
    assert catalog.event(EVENT.event_id) == EVENT
    catalog.close()
    catalog.close()
    with pytest.raises(CatalogUnavailable):
        catalog.event(EVENT.event_id)
    assert catalog.breaker_state == "closed"


def test_the_entry_point_makes_one(server: CatalogServer) -> None:
    server.answer = honest({EVENT: SEATS})
    catalog = create({"BOOKING_CATALOG_URL": server.url})
    try:
        event: TicketedEvent | None = catalog.event(EVENT.event_id)
    finally:
        catalog.close()
    assert event == EVENT
