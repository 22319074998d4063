"""RestCatalog against a Catalog Service that is down, slow, silent or half dead."""

import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from threading import Barrier, Event
from typing import Any
from uuid import UUID

import httpx2
import pytest
from structlog.testing import capture_logs

from booking_catalog import http_client
from booking_catalog.client import RestCatalog
from booking_catalog.http_client import open_client
from booking_core.domain.errors import CatalogUnavailable
from booking_core.ports.catalog import CatalogAnswerInvalid
from tests.integration.catalog.conftest import Connect
from tests.integration.catalog.samples import EVENT, EVENT_PATH, event_json, seat_json
from tests.support.catalog_server import Answer, CatalogServer, Handler, drip, hang_up, reply, says, silence

BAD_STARTS: dict[str, Answer] = {
    "silent": silence,
    "dripping header": drip(b"HTTP/1.1 200 OK\r\nX-Slow: ", b"."),
    "dripping informational": drip(b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 100 Continue\r\n\r\n"),
    "dripping body": drip(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n", b" "),
    "dripping chunks": drip(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\n \r\n"),
}


@contextmanager
def lasting_at_most(seconds: float) -> Iterator[None]:
    start = time.monotonic()
    yield
    assert time.monotonic() - start < seconds


def lines(logged: list[Any], event: str) -> list[Any]:
    return [line for line in logged if line["event"] == event]


@pytest.mark.parametrize("answer", BAD_STARTS.values(), ids=BAD_STARTS.keys())
def test_a_call_ends_whatever_the_server_withholds(server: CatalogServer, connect: Connect, answer: Answer) -> None:
    server.answer = answer
    catalog = connect()  # 2.5 × 0.4 s
    with capture_logs() as logged, lasting_at_most(1.6), pytest.raises(CatalogUnavailable) as caught:
        catalog.event(EVENT.event_id)
    assert type(caught.value) is CatalogUnavailable
    assert str(caught.value) == CatalogUnavailable.message
    [line] = lines(logged, "catalog.unavailable")
    assert line["path"] == EVENT_PATH
    assert "in time" in line["problem"]


def test_all_requests_of_one_call_share_its_time(server: CatalogServer, connect: Connect) -> None:
    def slow(handler: Handler) -> None:
        handler.server.over.wait(0.3)
        says([])(handler)

    server.answer = slow
    with lasting_at_most(1.6), pytest.raises(CatalogUnavailable):
        connect().seats(EVENT, [UUID(int=number) for number in range(2000)])


def test_a_name_that_is_never_resolved_ends_too(connect: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    released = Event()

    def stuck(*_: Any, **__: Any) -> Any:
        released.wait(60)
        raise socket.gaierror("released")

    monkeypatch.setattr(socket, "getaddrinfo", stuck)
    try:
        with lasting_at_most(1.6), pytest.raises(CatalogUnavailable):
            connect("http://catalog.invalid").event(EVENT.event_id)
    finally:
        released.set()


def test_names_are_resolved(server: CatalogServer, connect: Connect) -> None:
    server.answer = says(event_json())
    assert connect(server.url.replace("127.0.0.1", "localhost")).event(EVENT.event_id) == EVENT


def refused_url() -> str:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{unused.getsockname()[1]}"


@pytest.mark.parametrize("url", [None, "http://no-such-host.invalid", f"http://{'a' * 70}.invalid"])
def test_no_connection_is_no_answer(connect: Connect, url: str | None) -> None:
    with capture_logs() as logged, pytest.raises(CatalogUnavailable):
        connect(url or refused_url(), timeout_seconds=2.0).event(EVENT.event_id)
    assert "the connection failed" in lines(logged, "catalog.unavailable")[0]["problem"]


@pytest.mark.parametrize("first", [reply(503), reply(500), reply(429), hang_up, silence])
def test_what_may_pass_is_tried_again(server: CatalogServer, connect: Connect, first: Answer) -> None:
    server.answers = [first]
    server.answer = says(event_json())
    assert connect(timeout_seconds=0.6).event(EVENT.event_id) == EVENT
    assert len(server.paths) == 2


def test_it_is_tried_as_often_as_said(server: CatalogServer, connect: Connect) -> None:
    server.answer = reply(503)
    with capture_logs() as logged, pytest.raises(CatalogUnavailable):
        connect(timeout_seconds=2.0, attempts=4).event(EVENT.event_id)
    assert len(server.paths) == 4
    assert lines(logged, "catalog.unavailable")[0]["problem"] == "status 503"


@pytest.mark.parametrize("final", [reply(404), reply(200, "<html>"), reply(401), reply(302, Location="/x")])
def test_what_will_not_change_is_not_tried_again(server: CatalogServer, connect: Connect, final: Answer) -> None:
    server.answer = final
    with suppress(CatalogAnswerInvalid):
        assert connect().event(EVENT.event_id) is None
    assert len(server.paths) == 1


def test_trying_again_ends_with_the_time_of_the_call(server: CatalogServer, connect: Connect) -> None:
    server.answer = reply(503)
    with lasting_at_most(1.6), pytest.raises(CatalogUnavailable):
        connect(attempts=100, breaker_threshold=1000).event(EVENT.event_id)
    assert 3 < len(server.paths) < 20


def opened(server: CatalogServer, connect: Connect, **settings: Any) -> RestCatalog:
    server.answer = reply(503)
    catalog = connect(attempts=1, breaker_threshold=3, **settings)
    for _ in range(3):
        assert catalog.breaker_state == "closed"
        with pytest.raises(CatalogUnavailable):
            catalog.event(EVENT.event_id)
    assert catalog.breaker_state == "open"
    return catalog


def test_an_open_breaker_refuses_without_asking_or_logging(server: CatalogServer, connect: Connect) -> None:
    catalog = opened(server, connect, breaker_recovery_seconds=60.0)
    with capture_logs() as logged, lasting_at_most(0.2), pytest.raises(CatalogUnavailable):
        catalog.event(EVENT.event_id)
    assert (len(server.paths), logged) == (3, [])


def test_a_breaker_recovers_by_one_good_trial(server: CatalogServer, connect: Connect) -> None:
    catalog = opened(server, connect, breaker_recovery_seconds=0.0)
    server.answer = says(event_json())
    with capture_logs() as logged:
        assert catalog.event(EVENT.event_id) == EVENT
    assert catalog.breaker_state == "closed"
    assert [line["state"] for line in lines(logged, "catalog.breaker_changed")] == ["half-open", "closed"]


@pytest.mark.parametrize("broken", [reply(500), reply(502), reply(504), silence, hang_up])
def test_one_broken_event_takes_the_catalog_from_no_other(
    server: CatalogServer, connect: Connect, broken: Answer
) -> None:
    other = UUID(int=5)

    def answer(handler: Handler) -> None:
        (says(event_json()) if str(EVENT.event_id) in handler.path else broken)(handler)

    server.answer = answer
    catalog = connect(timeout_seconds=0.05, attempts=1, breaker_threshold=2)
    for _ in range(6):
        with pytest.raises(CatalogUnavailable):
            catalog.event(other)
    assert catalog.breaker_state == "closed"
    assert catalog.event(EVENT.event_id) == EVENT


def test_all_seats_may_take_longer_than_one_answer(server: CatalogServer, connect: Connect) -> None:
    """The service collects tens of thousands of them."""

    def slow(handler: Handler) -> None:
        handler.server.over.wait(0.6)
        says([seat_json()])(handler)

    server.answer = slow
    catalog = connect(timeout_seconds=0.2)
    assert len(catalog.seats(EVENT) or ()) == 1
    with pytest.raises(CatalogUnavailable):
        catalog.event(EVENT.event_id)


def test_a_bad_trial_opens_it_again(server: CatalogServer, connect: Connect) -> None:
    catalog = opened(server, connect, breaker_recovery_seconds=0.0)
    with pytest.raises(CatalogUnavailable):
        catalog.event(EVENT.event_id)
    assert (catalog.breaker_state, len(server.paths)) == ("open", 4)


def test_nonsense_and_404_do_not_open_it(server: CatalogServer, connect: Connect) -> None:
    catalog = connect(breaker_threshold=1)
    for answer, ask in nonsense_of(catalog):
        server.answer = answer
        with pytest.raises(CatalogAnswerInvalid):
            ask()
    server.answer = reply(404)
    assert catalog.event(EVENT.event_id) is None
    assert catalog.breaker_state == "closed"


def nonsense_of(catalog: RestCatalog) -> list[tuple[Answer, Callable[[], object]]]:
    return [
        (reply(200, "<html>"), lambda: catalog.event(EVENT.event_id)),
        (reply(403), lambda: catalog.event(EVENT.event_id)),
        (says([seat_json(price=-1)]), lambda: catalog.seats(EVENT)),
    ]


def test_eight_threads_through_an_outage_and_back(server: CatalogServer, connect: Connect) -> None:
    catalog = connect(breaker_recovery_seconds=0.0, breaker_threshold=4, timeout_seconds=2.0)
    start = Barrier(8)

    def ask(_: int) -> str:
        start.wait(60)
        try:
            return "known" if catalog.event(EVENT.event_id) == EVENT else "wrong"
        except CatalogUnavailable:
            return "unavailable"

    with ThreadPoolExecutor(8) as pool:
        server.answer = says(event_json())
        assert set(pool.map(ask, range(80))) == {"known"}
        server.answer = reply(503)
        assert set(pool.map(ask, range(80))) == {"unavailable"}
        server.answer = says(event_json())
        assert set(pool.map(ask, range(80))) <= {"known", "unavailable"}  # one trial at a time
        assert set(pool.map(ask, range(80))) == {"known"}
    assert catalog.breaker_state == "closed"


def test_closing_while_others_ask_is_no_answer_for_them(server: CatalogServer, connect: Connect) -> None:
    server.answer = silence
    catalog = connect(timeout_seconds=0.4)
    with ThreadPoolExecutor(8) as pool:
        calls = [pool.submit(catalog.event, EVENT.event_id) for _ in range(16)]
        catalog.close()
        with lasting_at_most(3.0):
            assert {type(call.exception()) for call in calls} == {CatalogUnavailable}


def test_a_connection_pool_closed_in_the_middle_is_no_answer(connect: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    def closed_at_once(*args: Any, **settings: Any) -> httpx2.Client:
        client = open_client(*args, **settings)
        client.close()
        return client

    monkeypatch.setattr(http_client, "open_client", closed_at_once)
    with pytest.raises(CatalogUnavailable):
        connect().event(EVENT.event_id)
