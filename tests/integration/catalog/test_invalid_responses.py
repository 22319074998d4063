"""RestCatalog with invalid responses of the Catalog Service: one log line names the problem, and no other error."""

import gzip
import json
import re
from uuid import uuid4

import pytest
from attrs import evolve
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs

from booking_catalog import client
from booking_core.domain.errors import CatalogUnavailable
from booking_core.domain.values import SaleStatus
from booking_core.ports.catalog import CatalogAnswerInvalid
from tests.integration.catalog.conftest import Connect
from tests.integration.catalog.samples import EVENT, EVENT_PATH, SEATS, SEATS_PATH, event_json, seat_json
from tests.support.catalog_server import Answer, CatalogServer, Handler, reply, says

HUGE = b'{"success": true, "data": [' + b" " * 9_000_000 + b"]}"
WHOLE = json.dumps({"success": True, "data": event_json()})

# The response, and the problem that the log must name.
INVALID: dict[str, tuple[Answer, str]] = {
    "html": (reply(200, "<!doctype html>\n<p>Down", Content_Type="text/html"), "not JSON"),
    "nothing": (reply(200), "not JSON"),
    "redirect": (
        reply(302, Location="http://127.0.0.1:9/"),
        "302: it redirects to http://127.0.0.1:9/, which BOOKING_",
    ),
    "permanent redirect": (reply(308, Location="/elsewhere"), "status 308: it redirects to /elsewhere"),
    "not modified": (reply(304), "status 304"),
    "unauthorized": (reply(401), "status 401"),
    "no content": (reply(204), "status 204"),
    "compressed otherwise": (reply(200, WHOLE, Content_Encoding="br"), "Content-Encoding br was not asked for"),
    "not compressed": (reply(200, WHOLE, Content_Encoding="gzip"), "not gzip: Error -3"),
    "too long": (
        reply(200, HUGE),
        "longer than 8388608 bytes, the limit MAX_EVENT_BYTES: let the Catalog Service leave",
    ),
    "expands too far": (reply(200, gzip.compress(HUGE), Content_Encoding="gzip"), "longer than 8388608 bytes"),
    "too deep": (reply(200, '{"success": true, "data": ' + "[" * 200_000 + "]" * 200_000 + "}"), "too deeply"),
    "failure": (reply(200, '{"success": false}'), "success is false"),
    "another event": (says(event_json(eventId=str(SEATS[0].seat_id))), "was asked for"),
}


@pytest.mark.parametrize(("answer", "problem"), INVALID.values(), ids=INVALID.keys())
def test_invalid_response_is_logged_in_one_line(
    server: CatalogServer, connect: Connect, answer: Answer, problem: str
) -> None:
    server.answer = answer
    catalog = connect(timeout_seconds=5.0)
    with capture_logs() as logged, pytest.raises(CatalogAnswerInvalid, match=re.escape(problem)) as caught:
        catalog.event(EVENT.event_id)
    assert logged == [
        {
            "event": "catalog.answer_invalid",
            "log_level": "warning",
            "path": EVENT_PATH,
            "problem": str(caught.value),
        }
    ]
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) <= 300


def test_a_hall_beyond_the_limit_is_logged_with_what_to_do(
    server: CatalogServer, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "_HALL", evolve(client._HALL, most_bytes=1000))
    server.answer = says([seat_json(SEATS[0], seatId=str(uuid4())) for _ in range(20)])
    with capture_logs() as logged, pytest.raises(CatalogAnswerInvalid):
        connect().seats(EVENT)
    assert "1000 bytes, the limit MAX_HALL_BYTES: let the Catalog Service leave out fields" in logged[0]["problem"]


def test_an_unknown_status_is_logged_and_stops_the_sale(server: CatalogServer, connect: Connect) -> None:
    server.answer = says(event_json(status="ON\nSALE\u2028\x1b[31m"))
    with capture_logs() as logged:
        event = connect().event(EVENT.event_id)
    assert event is not None
    assert event.status is SaleStatus.DRAFT
    assert [(line["event"], line["status"]) for line in logged] == [("catalog.status_unknown", "ON?SALE??[31m")]


def test_a_gzip_stream_cut_short_is_no_answer(server: CatalogServer, connect: Connect) -> None:
    server.answer = reply(200, gzip.compress(WHOLE.encode())[:-20], Content_Encoding="gzip")
    with pytest.raises(CatalogUnavailable) as caught:
        connect(attempts=1).event(EVENT.event_id)
    assert type(caught.value) is CatalogUnavailable


def test_one_impossible_seat_spoils_the_list_even_if_not_asked_for(server: CatalogServer, connect: Connect) -> None:
    server.answer = says([seat_json(), seat_json(SEATS[1], price=-0.01)])
    with capture_logs() as logged, pytest.raises(CatalogAnswerInvalid, match=r"price -0\.01 .*`\$\.data\[1\]\.price`"):
        connect().seats(EVENT, [SEATS[0].seat_id])
    assert [line["path"] for line in logged] == [SEATS_PATH]


def test_a_connection_survives_a_lie(server: CatalogServer, connect: Connect) -> None:
    server.answers = [reply(200, "<html>")]
    server.answer = says(event_json())
    catalog = connect()
    with pytest.raises(CatalogAnswerInvalid):
        catalog.event(EVENT.event_id)
    assert catalog.event(EVENT.event_id) == EVENT
    assert server.connections == 1


def test_bytes_that_are_no_http_are_no_answer(server: CatalogServer, connect: Connect) -> None:
    def garbage(handler: Handler) -> None:
        handler.wfile.write(b"\0\1\2garbage\r\n\r\n")

    server.answer = garbage
    with capture_logs() as logged, pytest.raises(CatalogUnavailable):
        connect(attempts=1).event(EVENT.event_id)
    assert all(line["problem"].isprintable() for line in logged)


def test_an_answer_cut_short_is_no_answer(server: CatalogServer, connect: Connect) -> None:
    def cut(handler: Handler) -> None:
        handler.close_connection = True
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n" + WHOLE.encode())

    server.answer = cut
    with pytest.raises(CatalogUnavailable) as caught:
        connect(attempts=1).event(EVENT.event_id)
    assert type(caught.value) is CatalogUnavailable


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
event_like = st.builds(
    lambda changes, gone: {key: value for key, value in event_json(**changes).items() if key not in gone},
    st.dictionaries(st.sampled_from([*event_json()]), json_values, max_size=2),
    st.sets(st.sampled_from([*event_json()]), max_size=1),
)
seat_like = st.builds(
    lambda changes: seat_json(**changes), st.dictionaries(st.sampled_from([*seat_json()]), json_values, max_size=2)
)
bodies = st.one_of(
    json_values,
    st.fixed_dictionaries({"success": st.just(True), "data": json_values | event_like | st.lists(seat_like)}),
).map(json.dumps)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(body=bodies | st.binary(max_size=60), status=st.sampled_from([200, 200, 200, 200, 201, 404, 302, 400]))
def test_no_answer_whatever_makes_another_error(
    server: CatalogServer, connect: Connect, body: str | bytes, status: int
) -> None:
    server.answer = reply(status, body)
    catalog = connect(timeout_seconds=5.0)
    try:
        event = catalog.event(EVENT.event_id)
        assert event is None or event.event_id == EVENT.event_id
    except CatalogUnavailable:
        pass
    try:
        seats = catalog.seats(EVENT)
        assert seats is None or len({seat.seat_id for seat in seats}) == len(seats)
    except CatalogUnavailable:
        pass
    finally:
        catalog.close()
