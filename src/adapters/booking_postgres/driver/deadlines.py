"""How long we wait for the server's answer: never without end, also for a server that is frozen and hangs up on nobody.

The server bounds its statements itself, as long as it runs. One that was stopped, or whose machine swaps, keeps its
sockets open and says nothing; no keepalive of TCP sees that, for the kernel answers for it.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final, TypeVar

import psycopg
from psycopg.abc import PQGen, Transformer

# More than a statement may take on the server (`transaction`), so that a server that works is never given up.
PATIENCE_SECONDS: Final = 15.0
# Of what counts whole tables, and has no bound on the server.
LONG_PATIENCE_SECONDS: Final = 120.0
# Of who only asks whether the database is there.
SHORT_PATIENCE_SECONDS: Final = 3.0
_T = TypeVar("_T")


class NoAnswer(psycopg.OperationalError):
    """The server took our words and said nothing for the whole bounded wait. The connection is closed."""


class ConnectionWithDeadline(psycopg.Connection[Any]):
    """A connection that waits at most `patience` seconds for each answer, then closes itself and raises NoAnswer.

    None: for ever, as psycopg's own do. All of psycopg waits here: statements, COMMIT and ROLLBACK.
    `codec` is kept for `batch`.
    """

    patience: float | None = None
    codec: Transformer | None = None

    def wait(self, gen: PQGen[_T], *given: Any, **named: Any) -> _T:
        bounded = gen if self.patience is None else _bounded(gen, self.patience)
        try:
            return super().wait(bounded, *given, **named)
        except NoAnswer:
            self.close()
            raise


def patience_of(connection: psycopg.Connection[Any]) -> float | None:
    """How long to wait for an answer on this connection, in seconds; None: for ever, as on a caller's own."""
    return connection.patience if isinstance(connection, ConnectionWithDeadline) else None


@contextmanager
def waiting_for(connection: psycopg.Connection[Any], seconds: float | None) -> Iterator[None]:
    """Within the block each answer may take so many seconds instead; nothing changes on a caller's connection."""
    if not isinstance(connection, ConnectionWithDeadline):
        yield
        return
    before, connection.patience = connection.patience, seconds
    try:
        yield
    finally:
        connection.patience = before


def _bounded(gen: PQGen[_T], seconds: float) -> PQGen[_T]:
    """The same conversation, that ends with NoAnswer."""
    give_up_at = time.monotonic() + seconds
    try:
        wanted = next(gen)
        while True:
            ready = yield wanted
            if not ready and time.monotonic() >= give_up_at:
                raise NoAnswer("the server did not answer in time")
            wanted = gen.send(ready)
    except StopIteration as end:
        result: _T = end.value
        return result
