"""Pipelined statements: one round trip for a whole list (ADR 0002).

This drives libpq's pipeline through psycopg's public `pq` and `adapt` modules. psycopg's own pipeline has a cursor, a
generator and a wait for each statement, which costs several times the CPU; SQLAlchemy's results do not work in it.
psycopg adapts the values and loads the rows.

`round_trip` does no I/O of its own: it yields what it waits for. `run` waits for it in the calling thread, and
`driver.event_loop` on an event loop.
"""

import re
import select
import time
from collections.abc import Generator, Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Final

import psycopg
from attrs import define, frozen
from psycopg import pq
from psycopg.abc import Transformer as Codec
from psycopg.adapt import PyFormat, Transformer
from psycopg.errors import error_from_result
from psycopg.pq import ConnStatus, ExecStatus, TransactionStatus

from booking_postgres.driver.connection import ConnectionWithDeadline, NoAnswer, PreparedStatements

Row = tuple[Any, ...]
Rows = list[Row]
Connection = psycopg.Connection[Any]


@frozen
class Statement:
    """SQL with psycopg's named parameters, and their values.

    `name` identifies the statement that failed. `sets_timeouts`: it sets the timeouts of its transaction itself.
    `plans`: the server makes a plan for it, so that it is worth preparing.
    """

    sql: str
    values: Mapping[str, Any]
    name: str = ""
    sets_timeouts: bool = False
    plans: bool = True


@frozen
class Query:
    """SQL with `$1`, `$2`, … as the server expects it, and the names of its parameters in that order."""

    sql: bytes
    names: tuple[str, ...]


_BEGIN: Final = Statement("BEGIN ISOLATION LEVEL READ COMMITTED", {}, "begin", plans=False)
_TIME: Final = psycopg.postgres.types["timestamptz"].oid
_COMMIT: Final = Statement("COMMIT", {}, "commit", plans=False)
_PARAMETER: Final = re.compile(r"%\((\w+)\)s")
# The server keeps a plan of each prepared statement.
_MAX_PREPARED: Final = 500
_READ_OR_WRITE: Final = select.POLLIN | select.POLLOUT
NO_ANSWER: Final = "the server did not answer in time"


class StatementFailed(Exception):
    """A driver error and the name of the statement that it belongs to."""

    def __init__(self, name: str, error: psycopg.Error) -> None:
        super().__init__(name)
        self.name, self.error = name, error


@define(eq=False)
class _Step:
    """One message that the server answers: a statement, or its preparation."""

    statement: Statement
    prepares: Query | None = None
    result: pq.abc.PGresult | None = None


def run(
    connection: Connection, statements: Sequence[Statement], *, commit: bool = False, begin: bool = True
) -> list[Rows]:
    """Do a `round_trip` and wait for it in this thread.

    If the answer takes longer than the connection's deadline, the error of StatementFailed is NoAnswer.
    """
    trip = round_trip(connection, statements, commit=commit, begin=begin)
    seconds = connection.answer_seconds if isinstance(connection, ConnectionWithDeadline) else None
    deadline = None if seconds is None else time.monotonic() + seconds
    poll = select.poll()
    try:
        wanted = next(trip)
        poll.register(connection.pgconn.socket, wanted)
        while True:
            left = None if deadline is None else max(0.0, deadline - time.monotonic()) * 1000
            wanted = next(trip) if poll.poll(left) else trip.throw(NoAnswer(NO_ANSWER))
            poll.modify(connection.pgconn.socket, wanted)
    except StopIteration as end:
        results: list[Rows] = end.value
        return results
    finally:
        trip.close()  # an interrupted wait closes the connection


def round_trip(
    connection: Connection, statements: Sequence[Statement], *, commit: bool = False, begin: bool = True
) -> Generator[int, None, list[Rows]]:
    """Run the statements in order and return the rows of each; a statement sees the effects of those before it.

    Yields the events (POLLIN, POLLOUT) of the connection's socket that it waits for; the caller continues it after one
    of them, or throws NoAnswer into it, which closes the connection: what was run is then unknown.

    Times are in UTC. Begins a transaction at READ COMMITTED unless one is open; without `begin` the server runs the
    statements as one transaction of their own. With `commit` the transaction is committed in the same round trip,
    unless a statement fails. Raises StatementFailed for the first that failed; those after it were not run.
    """
    server = connection.pgconn
    begin = begin and server.transaction_status == TransactionStatus.IDLE and not connection.autocommit
    steps: list[_Step] = []
    batch = [*([_BEGIN] if begin else ()), *statements, *([_COMMIT] if commit else ())]
    # Before anything is sent: a value that cannot be adapted must not leave a half-sent pipeline.
    codec = _codec_of(connection)
    given = [_adapted(codec, statement) for statement in batch]
    try:
        server.enter_pipeline_mode()
        for statement, values in zip(batch, given, strict=True):
            steps += _send(connection, statement, values)
        server.pipeline_sync()
        failed = yield from _receive(server, steps)
        server.exit_pipeline_mode()
        if failed is not None:
            raise failed
        # In a transaction that has failed before, COMMIT succeeds and rolls back.
        if commit and steps[-1].result is not None and steps[-1].result.command_status != b"COMMIT":
            steps[-1].result = None
            raise psycopg.errors.InFailedSqlTransaction("the transaction had failed: it was rolled back")
    except psycopg.Error as error:
        if isinstance(error, NoAnswer):
            connection.close()
        raise StatementFailed(_failed(steps), error) from error
    except BaseException:
        # Interrupted halfway: the next result on this connection would belong to this pipeline.
        connection.close()
        raise
    finally:
        _forget_unprepared(connection, steps)
    answers = [step.result for step in steps if step.prepares is None]
    return [_rows_of(codec, result) for result in answers[begin : begin + len(statements)]]


def _codec_of(connection: Connection) -> Codec:
    """Return the adapter of values and rows; kept on our own connections, because creation costs more than use.

    The owner of another connection may register types on it at any time, so there it is created for each call.
    """
    if not isinstance(connection, ConnectionWithDeadline):
        return Transformer(connection)
    if connection.codec is None:
        connection.codec = Transformer(connection)
    return connection.codec


@lru_cache(maxsize=_MAX_PREPARED)
def query_of(sql: str) -> Query:
    """Translate `%(name)s` parameters; a name that occurs twice is one parameter."""
    names: dict[str, int] = {}

    def numbered(found: re.Match[str]) -> str:
        return f"${names.setdefault(found[1], len(names) + 1)}"

    return Query(_PARAMETER.sub(numbered, sql).encode(), tuple(names))


def _adapted(codec: Codec, statement: Statement) -> Sequence[Any]:
    """Adapt the values for the server. Raises StatementFailed for a value that cannot be adapted."""
    values = statement.values
    given = [values[name] for name in query_of(statement.sql).names]
    if not given:
        return ()
    try:
        return codec.dump_sequence(given, [PyFormat.TEXT] * len(given))
    except psycopg.Error as error:
        raise StatementFailed(statement.name, error) from error


def _send(connection: Connection, statement: Statement, values: Sequence[Any]) -> list[_Step]:
    """Queue a statement, and its preparation if it is new on this connection."""
    server, query = connection.pgconn, query_of(statement.sql)
    prepared = _prepared_on(connection) if statement.plans else None
    name = prepared.names.get(query.sql) if prepared else None
    if prepared is None or (name is None and len(prepared.names) >= _MAX_PREPARED):
        server.send_query_params(query.sql, values, result_format=_format_on(connection))
        return [_Step(statement)]
    steps = [_Step(statement)]
    if name is None:
        # Never a name that was used before; psycopg's own names begin otherwise.
        prepared.created += 1
        name = prepared.names[query.sql] = b"booking_%d" % prepared.created
        server.send_prepare(name, query.sql)
        steps.insert(0, _Step(statement, prepares=query))
    server.send_query_prepared(name, values)
    return steps


def _format_on(connection: Connection) -> pq.Format:
    """Return the format of results. The text of a time follows DateStyle, which is the caller's in its own session."""
    return pq.Format.TEXT if isinstance(connection, ConnectionWithDeadline) else pq.Format.BINARY


def _forget_unprepared(connection: Connection, steps: Sequence[_Step]) -> None:
    """Forget the preparations that were not made, because they or a statement before them failed."""
    prepared = _prepared_on(connection)
    for step in steps:
        if prepared and step.prepares is not None and step.result is None:
            prepared.names.pop(step.prepares.sql, None)


def _prepared_on(connection: Connection) -> PreparedStatements | None:
    return connection.prepared if isinstance(connection, ConnectionWithDeadline) else None


def _receive(server: pq.abc.PGconn, steps: Sequence[_Step]) -> Generator[int, None, psycopg.Error | None]:
    """Wait for all answers, that of the Sync included; return the error of the first step that failed, if any."""
    while server.flush():
        yield _READ_OR_WRITE
        server.consume_input()
    failed: psycopg.Error | None = None
    coming = iter(steps)
    while True:
        while server.is_busy():
            yield select.POLLIN
            try:
                server.consume_input()
            except psycopg.OperationalError as lost:
                raise failed or lost from None  # the last words of a server that has ended the connection
        result = server.get_result()
        if result is None:
            # The end of the results of one statement; on a lost connection, of all.
            if server.status != ConnStatus.OK:
                raise failed or psycopg.OperationalError("the connection was lost")
        elif result.status == ExecStatus.PIPELINE_SYNC:
            break
        elif result.status in (ExecStatus.TUPLES_OK, ExecStatus.COMMAND_OK):
            next(coming).result = result
        elif failed is None:
            failed = error_from_result(result)
    return failed


def _failed(steps: Sequence[_Step]) -> str:
    return next((step.statement.name for step in steps if step.result is None), _COMMIT.name)


def _rows_of(codec: Codec, result: pq.abc.PGresult | None) -> Rows:
    if result is None or result.status != ExecStatus.TUPLES_OK:
        return []
    codec.set_pgresult(result)
    rows = codec.load_rows(0, result.ntuples, tuple)
    codec.set_pgresult(None)  # a kept codec must not keep the rows alive
    return in_utc(rows) if any(result.ftype(place) == _TIME for place in range(result.nfields)) else rows


def in_utc(rows: Rows) -> Rows:
    """Convert the times of the rows to UTC.

    psycopg returns them in the zone of the session, where Python's arithmetic ignores changes of summer time: an hour
    wrong around each of them.
    """
    return [tuple(v.astimezone(UTC) if type(v) is datetime else v for v in row) for row in rows]
