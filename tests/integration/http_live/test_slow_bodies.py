"""Bodies that arrive a byte at a time: everybody else is answered meanwhile (ADR 0015)."""

import json
import socket
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from tests.support.live import BOOKINGS, Live

SLOW = 60  # more than the two processes have threads


@contextmanager
def slow_bodies(live: Live, body: bytes) -> Iterator[list[socket.socket]]:
    """So many requests that have said all but the last byte of their body."""
    token = live.tokens.sign("sloth")
    head = (
        f"POST {BOOKINGS} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    with ExitStack() as opened:
        sockets = [
            opened.enter_context(socket.create_connection(("127.0.0.1", live.port), timeout=30)) for _ in range(SLOW)
        ]
        for each in sockets:
            each.sendall(head.encode() + body[:-1])
        yield sockets


def test_everybody_else_is_answered(own_live: Live) -> None:
    body = json.dumps(own_live.order(0)).encode()
    with slow_bodies(own_live, body) as slow:
        ada, grace = own_live.customer("ada"), own_live.customer("grace")
        start = time.monotonic()
        for _ in range(20):
            with urllib.request.urlopen(f"http://127.0.0.1:{own_live.port}/healthz", timeout=5) as answer:
                assert answer.status == 200
            assert ada.call("GET", f"{BOOKINGS}/my").data == []
            answer_to_post = grace.call("POST", BOOKINGS, own_live.order(1, 2))
            assert answer_to_post.status in (201, 409) or answer_to_post.refusal == (503, "SERVICE_BUSY")
        assert time.monotonic() - start < 10

        # And who is slow is served or refused in the end, and never left without an answer.
        for each in slow:
            each.sendall(body[-1:])
        answers = [each.recv(1 << 16).split(b" ", 2)[1] for each in slow]

    assert set(answers) <= {b"201", b"409", b"503"}
    assert grace.call("GET", f"{BOOKINGS}/my").status == 200
