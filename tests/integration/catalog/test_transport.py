"""Socket operations end by the deadline of the call, whatever their own timeout says."""

import time
from collections.abc import Callable
from contextlib import closing

import httpcore2
import pytest

from booking_catalog.transport import Deadline, DeadlineBackend
from tests.support.catalog_server import CatalogServer


def test_a_read_ends_by_the_deadline_and_none_is_begun_after_it(server: CatalogServer) -> None:
    start = time.monotonic()
    with closing(DeadlineBackend().connect_tcp("127.0.0.1", server.server_port)) as stream, Deadline(0.1).applied():
        for _ in range(2):
            with pytest.raises(httpcore2.ReadTimeout):
                stream.read(1, timeout=3.0)
    assert 0.1 <= time.monotonic() - start < 2.0


@pytest.mark.parametrize(
    ("use", "late"),
    [
        (lambda stream: stream.write(b"x", 3.0), httpcore2.WriteTimeout),
        (lambda stream: stream.start_tls(None, "x", 3.0), httpcore2.ConnectTimeout),
    ],
)
def test_nothing_else_is_begun_after_it(
    server: CatalogServer,
    use: Callable[[httpcore2.NetworkStream], object],
    late: type[Exception],
) -> None:
    with (
        closing(DeadlineBackend().connect_tcp("127.0.0.1", server.server_port)) as stream,
        Deadline(0.0).applied(),
        pytest.raises(late),
    ):
        use(stream)
    with Deadline(0.0).applied(), pytest.raises(httpcore2.ConnectTimeout):
        DeadlineBackend().connect_tcp("127.0.0.1", server.server_port)


def test_the_next_call_of_the_thread_has_its_own_time(server: CatalogServer) -> None:
    with Deadline(0.0).applied():
        pass
    DeadlineBackend().connect_tcp("127.0.0.1", server.server_port, timeout=5.0).close()
