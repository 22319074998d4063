"""The listening sockets of the workers, with connections over the loopback interface."""

import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager

import pytest

from booking_server.listeners import Listeners, has_unread_bytes
from tests.support.processes import free_port

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the kernel's own")
_QUEUED = 20


@contextmanager
def listening(workers: int) -> Iterator[tuple[Listeners, int]]:
    port = free_port()
    with closing(Listeners.open("127.0.0.1", port, 64, workers=workers)) as listeners:
        yield listeners, port


def connect(port: int, stack: ExitStack) -> socket.socket:
    return stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=0.5))


def accept(listeners: Listeners, worker: int) -> socket.socket:
    """What the server does with its socket."""
    listener = socket.socket(fileno=listeners.holder(worker).get_fd())
    try:
        return listener.accept()[0]
    finally:
        listener.detach()


def test_connections_that_wait_are_kept_when_new_ones_are_shut_out() -> None:
    with listening(1) as (listeners, port), ExitStack() as stack:
        waiting = [connect(port, stack) for _ in range(_QUEUED)]
        assert listeners.queued(0) == _QUEUED

        listeners.shut_out()

        with pytest.raises(TimeoutError):
            connect(port, stack)
        for client in waiting:
            client.sendall(b"request")
            with accept(listeners, 0) as accepted:
                assert accepted.recv(100) == b"request"
                accepted.sendall(b"response")
            assert client.recv(100) == b"response"
        assert listeners.queued(0) == 0


def test_connections_go_to_the_other_workers_while_one_is_excluded() -> None:
    with listening(3) as (listeners, port), ExitStack() as stack:
        listeners.exclude(1)
        for _ in range(_QUEUED):
            connect(port, stack)
        assert [listeners.queued(each) for each in range(3)] == [0, 0, _QUEUED]

        listeners.include_all()
        for _ in range(40):
            connect(port, stack)
        assert listeners.queued(0) > 0
        assert listeners.queued(1) > 0


def test_the_successor_of_a_single_worker_gets_what_came_meanwhile() -> None:
    with listening(1) as (listeners, port), ExitStack() as stack:
        for _ in range(2):
            before = [connect(port, stack) for _ in range(3)]
            assert listeners.queued(0) == len(before)
            listeners.exclude(0)
            connect(port, stack)
            assert listeners.queued(0) == len(before), "the worker that ends gets no more"
            for _ in before:
                accept(listeners, 0).close()

            listeners.hand_over(0)

            assert listeners.queued(0) == 1
            accept(listeners, 0).close()


def test_bytes_that_a_process_has_not_read_are_seen() -> None:
    with listening(1) as (listeners, port), ExitStack() as stack:
        client = connect(port, stack)
        with accept(listeners, 0) as accepted:
            assert not has_unread_bytes(port)
            client.sendall(b"request")
            arrived = threading.Event()
            while not has_unread_bytes(port):
                arrived.wait(0.01)
            assert not has_unread_bytes(port + 1)
            accepted.recv(100)
            assert not has_unread_bytes(port)
