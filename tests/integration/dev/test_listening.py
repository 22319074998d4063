"""The address that `booking dev` takes before anything answers on it."""

import socket

from booking_dev.server import listening


def test_answers_do_not_wait_for_acknowledgements() -> None:
    """The server sends headers and bodies apart: with Nagle's algorithm, every other answer would take 40 ms."""
    with listening("127.0.0.1", 0) as listener, socket.create_connection(listener.socket.getsockname(), timeout=10):
        accepted, _ = listener.socket.accept()
        with accepted:
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
