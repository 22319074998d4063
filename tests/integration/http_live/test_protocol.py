"""Requests byte by byte, as RFC 9110 and 9112 have them: what granian decides is written down as it is."""

import json
import socket
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.support.live import BOOKINGS, Live

EVENTS = "/api/v1/events"
HOST = "Host: booking.test"
# Answered by granian itself, without a body, and the connection is closed.
ITS_400, ITS_431 = ("400", True), ("431", True)


def statuses(live: Live, data: bytes, answers: int = 1) -> tuple[list[str], bool]:
    """The status codes of so many answers, and whether the connection was closed after them."""
    with socket.create_connection(("127.0.0.1", live.port), timeout=20) as connection:
        connection.sendall(data)
        stream = connection.makefile("rb")
        found = []
        for _ in range(answers):
            found.append(stream.readline().decode().split(" ")[1])
            length = 0
            while (line := stream.readline().strip().lower()) not in (b"", None):
                name, _, value = line.partition(b":")
                length = int(value) if name == b"content-length" else length
            stream.read(length)
        connection.settimeout(0.3)
        try:
            closed = connection.recv(1) == b""
        except TimeoutError:
            closed = False
        return found, closed


def request(live: Live, line: str, *headers: str, body: str = "") -> bytes:
    token = live.customer("ada").token
    return "\r\n".join([line, f"Authorization: Bearer {token}", *headers, "", body]).encode("latin-1")


def order(live: Live, user_seat: int) -> str:
    return json.dumps(live.order(user_seat))


@pytest.mark.parametrize(
    ("line", "headers", "expected"),
    [
        (f"GET {EVENTS} HTTP/1.1", [HOST], "200"),
        (f"get {EVENTS} HTTP/1.1", [HOST], "405"),
        (f"Post {EVENTS} HTTP/1.1", [HOST], "405"),
        (f"FOO {EVENTS} HTTP/1.1", [HOST], "405"),
        (f"HEAD {EVENTS} HTTP/1.1", [HOST], "200"),
        (f"OPTIONS {EVENTS} HTTP/1.1", [HOST], "405"),
        ("OPTIONS * HTTP/1.1", [HOST], "404"),
        ("CONNECT booking.test:80 HTTP/1.1", [HOST], "404"),
        (f"GET http://booking.test{EVENTS} HTTP/1.1", [HOST], "200"),
        (f"GET {EVENTS} HTTP/1.1", ["Host:"], "200"),
        (f"GET {EVENTS} HTTP/1.1", [], "400"),
        (f"GET {EVENTS} HTTP/1.1", [HOST, HOST], "400"),
        (f"GET {EVENTS} HTTP/1.1", ["Host: a b"], "400"),
        (f"GET {EVENTS} HTTP/1.1", ["Host: user@booking.test"], "400"),
        (f"GET {EVENTS} HTTP/1.0", [], "200"),
        (f"GET {EVENTS} HTTP/1.1", [HOST, "Authorization: Bearer x"], "401"),
        (f"GET {EVENTS} HTTP/1.1", [HOST, "Upgrade: h2c", "Connection: Upgrade"], "200"),
        (f"GET {EVENTS} HTTP/1.1", [HOST, f"X-A: {'a' * 60_000}"], "200"),
    ],
)
def test_a_request_line_and_its_host(live: Live, line: str, headers: Sequence[str], expected: str) -> None:
    method = line.partition(" ")[0]
    data = request(live, line, *headers)
    with socket.create_connection(("127.0.0.1", live.port), timeout=20) as connection:
        connection.sendall(data)
        head = connection.makefile("rb").readline()

    assert head.split(b" ")[1].decode() == expected, (method, head)


@pytest.mark.parametrize(
    ("line", "headers", "expected"),
    [
        (f"GET {EVENTS} HTTP/1.2", [HOST], ITS_400),
        (f"GET {EVENTS} HTTP/3.0", [HOST], ITS_400),
        (f"GET {EVENTS} HTTP/1.1", [HOST, "X-A : b"], ITS_400),
        (f"GET {EVENTS} HTTP/1.1", [HOST, "X-A: b", " c"], ITS_400),
        (f"GET {EVENTS} HTTP/1.1", [HOST, "X-A: b\0c"], ITS_400),
        (f"GET {EVENTS} HTTP/1.1", [HOST, f"X-A: {'a' * 70_000}"], ITS_431),
        (f"GET {EVENTS} HTTP/1.1", [HOST, *(f"X-{n}: a" for n in range(200))], ITS_431),
        (f"GET /{'a' * 66_000} HTTP/1.1", [HOST], ITS_431),
        (f"POST {BOOKINGS} HTTP/1.1", [HOST, "Content-Length: 2", "Content-Length: 3"], ITS_400),
        (f"POST {BOOKINGS} HTTP/1.1", [HOST, "Content-Length: 2, 2"], ITS_400),
        (f"POST {BOOKINGS} HTTP/1.1", [HOST, "Content-Length: -1"], ITS_400),
        (f"POST {BOOKINGS} HTTP/1.1", [HOST, "Content-Length: +2"], ITS_400),
        (f"POST {BOOKINGS} HTTP/1.1", [HOST, "Transfer-Encoding: gzip"], ITS_400),
        (f"POST {BOOKINGS} HTTP/1.0", [HOST, "Transfer-Encoding: chunked"], ITS_400),
    ],
)
def test_what_granian_rejects(live: Live, line: str, headers: Sequence[str], expected: tuple[str, bool]) -> None:
    [status], closed = statuses(live, request(live, line, *headers, body="{}"))

    assert (status, closed) == expected
    assert live.customer("ann").call("GET", EVENTS).status == 200


def test_bodies_in_every_framing(live: Live) -> None:
    live.stage.set_up()
    line, kind = f"POST {BOOKINGS} HTTP/1.1", "Content-Type: application/json"
    bodies = [order(live, place) for place in range(6)]
    chunked = [f"{len(body):x};ext=1\r\n{body}\r\n0\r\nX-Trailer: 1\r\n\r\n" for body in bodies]
    length = [f"Content-Length: {len(body)}" for body in bodies]
    cases = [
        ([length[0]], bodies[0], False),
        ([length[1], length[1]], bodies[1], False),  # repeated and equal
        (["Transfer-Encoding: chunked", "Trailer: X-Trailer"], chunked[2], False),
        # Transfer-Encoding overrides the length, and the connection is closed (RFC 9112, 6.1): nothing is smuggled.
        (["Content-Length: 3", "Transfer-Encoding: chunked"], chunked[3], True),
    ]
    for number, (headers, body, closes) in enumerate(cases):
        token = live.customer(f"eve-{number}").token
        data = "\r\n".join([line, HOST, kind, f"Authorization: Bearer {token}", *headers, "", body]).encode()
        assert statuses(live, data) == (["201"], closes), headers


def test_expect_100_is_answered_before_the_body_is_sent(live: Live) -> None:
    live.stage.set_up()
    body = order(live, 0)
    head = request(
        live,
        f"POST {BOOKINGS} HTTP/1.1",
        HOST,
        "Content-Type: application/json",
        "Expect: 100-continue",
        f"Content-Length: {len(body)}",
    )
    with socket.create_connection(("127.0.0.1", live.port), timeout=20) as connection:
        connection.sendall(head)
        stream = connection.makefile("rb")
        assert stream.readline().startswith(b"HTTP/1.1 100 ")
        assert stream.readline() == b"\r\n"
        connection.sendall(body.encode())
        assert stream.readline().startswith(b"HTTP/1.1 201 ")


def test_a_header_with_an_underscore_is_no_other_header(live: Live) -> None:
    data = request(live, f"GET {EVENTS} HTTP/1.1", HOST, "X_Correlation_Id: of-somebody-else")
    with socket.create_connection(("127.0.0.1", live.port), timeout=20) as connection:
        connection.sendall(data)
        assert b"of-somebody-else" not in connection.recv(65536)


def test_pipelined_requests_are_answered_in_their_order_under_a_storm(live: Live) -> None:
    live.stage.set_up()
    read = request(live, f"GET {EVENTS} HTTP/1.1", HOST)
    unknown = request(live, "GET /nothing HTTP/1.1", HOST)
    body = order(live, 0)
    kind, length = "Content-Type: application/json", f"Content-Length: {len(body)}"
    reserve = request(live, f"POST {BOOKINGS} HTTP/1.1", HOST, kind, length, body=body)
    with ThreadPoolExecutor(16) as pool:
        found = list(pool.map(lambda _: statuses(live, (read + unknown + reserve) * 5, 15), range(16)))

    assert all(not closed for _, closed in found)
    for answers, _ in found:
        assert set(answers[0::3]) <= {"200", "503"}
        assert set(answers[1::3]) <= {"404", "503"}
        assert set(answers[2::3]) <= {"201", "409", "503"}
    assert sum(answers.count("201") for answers, _ in found) == 1


def test_http_2_needs_no_upgrade(live: Live) -> None:
    with socket.create_connection(("127.0.0.1", live.port), timeout=20) as connection:
        connection.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes([0, 0, 0, 4, 0, 0, 0, 0, 0]))
        frame = connection.recv(9)

    assert frame[3] == 4, "the server's settings"
