"""Connections of our own pool: each answer has a deadline, and statements may be prepared on them.

A running server bounds its statements itself (`Timeouts`). A server that was stopped, or whose machine swaps, keeps its
sockets open and sends nothing; TCP keepalive does not detect that, because the kernel answers for it.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final, TypeVar

import psycopg
from attrs import define, field, frozen
from psycopg.abc import PQGen, Transformer

# Longer than any statement may take on the server (`Timeouts.statement`): a working server keeps its connections.
ANSWER_SECONDS: Final = 15.0
# For statements that read whole tables and have no timeout on the server.
TABLE_SCAN_SECONDS: Final = 120.0
# For a check of whether the database answers at all.
PROBE_SECONDS: Final = 3.0
_T = TypeVar("_T")


@frozen(kw_only=True)
class Timeouts:
    """Timeouts on the server, as PostgreSQL writes them. They bound waits; no rule of the domain depends on them.

    `reservation_lock` is shorter than `lock`: while thousands want one seat, a customer is better rejected than kept
    waiting on a connection. `idle` ends a transaction whose process was stopped while it held seats. Reads lock no rows
    and wait only for changes of a table; the longest sound read, all seats of an event, takes tenths of a second.
    """

    lock: str = "1000ms"
    reservation_lock: str = "250ms"
    statement: str = "10s"
    idle: str = "10s"
    read_lock: str = "1s"
    read_statement: str = "2s"


class NoAnswer(psycopg.OperationalError):
    """The server received the statements and did not answer before the deadline. The connection is closed."""


@define(eq=False)
class PreparedStatements:
    """The statements prepared on one connection: SQL to name on the server. `created` counts all names ever used."""

    names: dict[bytes, bytes] = field(factory=dict)
    created: int = 0


class ConnectionWithDeadline(psycopg.Connection[Any]):
    """A connection that waits at most `answer_seconds` for each answer, then closes itself and raises NoAnswer.

    None: no deadline. All of psycopg waits here: statements, COMMIT and ROLLBACK. `codec` and `prepared` belong to
    `pipeline`; `prepared` is None where nothing may be prepared.
    """

    answer_seconds: float | None = None
    codec: Transformer | None = None
    prepared: PreparedStatements | None = None

    def wait(self, gen: PQGen[_T], *given: Any, **named: Any) -> _T:
        bounded = gen if self.answer_seconds is None else _bounded(gen, self.answer_seconds)
        try:
            return super().wait(bounded, *given, **named)
        except NoAnswer:
            self.close()
            raise


@contextmanager
def answers_within(connection: psycopg.Connection[Any], seconds: float | None) -> Iterator[None]:
    """Change the deadline of each answer within the block; a connection of the caller is left alone."""
    if not isinstance(connection, ConnectionWithDeadline):
        yield
        return
    before, connection.answer_seconds = connection.answer_seconds, seconds
    try:
        yield
    finally:
        connection.answer_seconds = before


def _bounded(gen: PQGen[_T], seconds: float) -> PQGen[_T]:
    """Run psycopg's generator, and raise NoAnswer after the deadline."""
    deadline = time.monotonic() + seconds
    try:
        wanted = next(gen)
        while True:
            ready = yield wanted
            if not ready and time.monotonic() >= deadline:
                raise NoAnswer("the server did not answer in time")
            wanted = gen.send(ready)
    except StopIteration as end:
        result: _T = end.value
        return result
