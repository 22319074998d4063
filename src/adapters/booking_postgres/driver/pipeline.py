"""Statements that travel together: one round trip for a whole list (ADR 0002).

This drives libpq's pipeline through psycopg's public `pq` and `adapt` modules. psycopg's own pipeline has a cursor, a
generator and a wait for each statement, which costs several times the CPU; SQLAlchemy's results do not work in it
either. Values are adapted and rows are loaded by psycopg all the same.
"""

import select
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

import psycopg
from attrs import define, frozen
from psycopg import pq
from psycopg.abc import Transformer as Codec
from psycopg.adapt import PyFormat, Transformer
from psycopg.errors import error_from_result
from psycopg.pq import ConnStatus, ExecStatus, TransactionStatus

from booking_postgres.driver.deadlines import ConnectionWithDeadline, NoAnswer, patience_of
from booking_postgres.driver.prepared import Query, prepared_on, query_of

Row = tuple[Any, ...]
Rows = list[Row]
Connection = psycopg.Connection[Any]


@frozen
class Statement:
    """SQL with psycopg's named parameters, and their values.

    `name` is for those who ask which one failed; `sets_bounds`: it bounds the waits of its transaction by itself.
    `plans`: the server makes a plan for it, which is worth keeping.
    """

    sql: str
    values: Mapping[str, Any]
    name: str = ""
    sets_bounds: bool = False
    plans: bool = True


_BEGIN: Final = Statement("BEGIN ISOLATION LEVEL READ COMMITTED", {}, "begin", plans=False)
_TIME: Final = psycopg.postgres.types["timestamptz"].oid
_COMMIT: Final = Statement("COMMIT", {}, "commit", plans=False)


class StatementFailed(Exception):
    """The driver's error, and which statement of the batch it belongs to."""

    def __init__(self, name: str, error: psycopg.Error) -> None:
        super().__init__(name)
        self.name, self.error = name, error


@define(eq=False)
class _Step:
    """One message that the server answers: a statement, or the preparation of one."""

    statement: Statement
    prepares: Query | None = None
    result: pq.abc.PGresult | None = None


def run(
    connection: Connection, statements: Sequence[Statement], *, commit: bool = False, begin: bool = True
) -> list[Rows]:
    """The rows of every statement, in order; each statement sees what the ones before it did and waited for.

    Times are in UTC. Begins a transaction at READ COMMITTED unless one is open; without `begin` none is begun, and the
    statements are one by themselves. With `commit` it is committed in the same round trip, and not if any statement
    fails. Raises StatementFailed for the first that failed; those after it were not run. Its error is NoAnswer, and the
    connection closed, if the whole took longer than the connection's patience: then nobody knows what was run.
    """
    server = connection.pgconn
    begin = begin and server.transaction_status == TransactionStatus.IDLE and not connection.autocommit
    steps: list[_Step] = []
    batch = [*([_BEGIN] if begin else ()), *statements, *([_COMMIT] if commit else ())]
    # Before anything is sent: a value that cannot be adapted must not leave half a pipeline behind.
    codec = _codec_of(connection)
    given = [_adapted(codec, statement) for statement in batch]
    try:
        server.enter_pipeline_mode()
        for statement, values in zip(batch, given, strict=True):
            steps += _send(connection, statement, values)
        server.pipeline_sync()
        failed = _receive(server, steps, patience_of(connection))
        server.exit_pipeline_mode()
        if failed is not None:
            raise failed
        # In a transaction that has failed before, COMMIT succeeds, and rolls back.
        if commit and steps[-1].result is not None and steps[-1].result.command_status != b"COMMIT":
            steps[-1].result = None
            raise psycopg.errors.InFailedSqlTransaction("the transaction had failed: it was rolled back")
    except psycopg.Error as error:
        if isinstance(error, NoAnswer):
            connection.close()
        raise StatementFailed(_failed(steps), error) from error
    except BaseException:
        # Interrupted in the middle: whatever comes next on this connection would be an answer to this.
        connection.close()
        raise
    finally:
        _forget_unprepared(connection, steps)
    answers = [step.result for step in steps if step.prepares is None]
    return [_rows_of(codec, result) for result in answers[begin : begin + len(statements)]]


def _codec_of(connection: Connection) -> Codec:
    """What adapts values and loads rows, kept with our own connections: making it anew costs more than its work.

    A caller may teach a connection of its own other types at any time, so there it is made for each batch.
    """
    if not isinstance(connection, ConnectionWithDeadline):
        return Transformer(connection)
    if connection.codec is None:
        connection.codec = Transformer(connection)
    return connection.codec


def _adapted(codec: Codec, statement: Statement) -> Sequence[Any]:
    """Its values as the server wants them. Raises StatementFailed for one that no server takes."""
    values = statement.values
    given = [values[name] for name in query_of(statement.sql).names]
    if not given:
        return ()
    try:
        return codec.dump_sequence(given, [PyFormat.TEXT] * len(given))
    except psycopg.Error as error:
        raise StatementFailed(statement.name, error) from error


def _send(connection: Connection, statement: Statement, values: Sequence[Any]) -> list[_Step]:
    """Queue a statement, and its preparation where that is new."""
    server, query = connection.pgconn, query_of(statement.sql)
    prepared = prepared_on(connection) if statement.plans else None
    name = prepared.name_of(query) if prepared else None
    if prepared is None or (name is None and not prepared.has_room):
        server.send_query_params(query.sql, values)
        return [_Step(statement)]
    steps = [_Step(statement)]
    if name is None:
        name = prepared.new_name()
        prepared.remember(query, name)
        server.send_prepare(name, query.sql)
        steps.insert(0, _Step(statement, prepares=query))
    server.send_query_prepared(name, values)
    return steps


def _forget_unprepared(connection: Connection, steps: Sequence[_Step]) -> None:
    """Forget the preparations that did not come about, because they or something before them failed."""
    prepared = prepared_on(connection)
    for step in steps:
        if prepared and step.prepares is not None and step.result is None:
            prepared.forget(step.prepares)


def _receive(server: pq.abc.PGconn, steps: Sequence[_Step], patience: float | None) -> psycopg.Error | None:
    """Wait for every answer, up to that of the Sync; the error of the first step that failed, if one did.

    Raises NoAnswer after so many seconds.
    """
    give_up_at = None if patience is None else time.monotonic() + patience
    poll = select.poll()
    poll.register(server.socket, select.POLLIN | select.POLLOUT)
    while server.flush():
        _await(poll, give_up_at)
        server.consume_input()
    poll.modify(server.socket, select.POLLIN)
    failed: psycopg.Error | None = None
    coming = iter(steps)
    while True:
        while server.is_busy():
            _await(poll, give_up_at)
            server.consume_input()
        result = server.get_result()
        if result is None:
            # The end of one statement's results; on a lost connection, of everything.
            if server.status != ConnStatus.OK:
                raise failed or psycopg.OperationalError("the connection was lost")
        elif result.status == ExecStatus.PIPELINE_SYNC:
            break
        elif result.status in (ExecStatus.TUPLES_OK, ExecStatus.COMMAND_OK):
            next(coming).result = result
        elif failed is None:
            failed = error_from_result(result)
    return failed


def _await(poll: select.poll, give_up_at: float | None) -> None:
    left = None if give_up_at is None else max(0.0, give_up_at - time.monotonic()) * 1000
    if not poll.poll(left):
        raise NoAnswer("the server did not answer in time")


def _failed(steps: Sequence[_Step]) -> str:
    return next((step.statement.name for step in steps if step.result is None), _COMMIT.name)


def _rows_of(codec: Codec, result: pq.abc.PGresult | None) -> Rows:
    if result is None or result.status != ExecStatus.TUPLES_OK:
        return []
    codec.set_pgresult(result)
    rows = codec.load_rows(0, result.ntuples, tuple)
    codec.set_pgresult(None)  # a kept codec must not keep a thousand rows alive
    return in_utc(rows) if any(result.ftype(place) == _TIME for place in range(result.nfields)) else rows


def in_utc(rows: Rows) -> Rows:
    """The rows with their times in UTC.

    psycopg gives them in the session's zone, where Python adds, subtracts and compares what the clock on the wall
    shows: an hour wrong around every change of summer time.
    """
    return [tuple(v.astimezone(UTC) if type(v) is datetime else v for v in row) for row in rows]
