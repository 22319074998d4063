"""Statements that travel together: one round trip for a whole list (design, section 8).

SQLAlchemy's results do not work inside a psycopg pipeline, so this takes the psycopg connection under SQLAlchemy's.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import psycopg
from attrs import frozen
from psycopg.abc import PQGen

Row = tuple[Any, ...]
Rows = list[Row]


@frozen
class Statement:
    """SQL with psycopg's named parameters, and their values.

    `name` is for those who ask which one failed; `sets_bounds`: it bounds the waits of its transaction by itself.
    """

    sql: str
    values: Mapping[str, Any]
    name: str = ""
    sets_bounds: bool = False


class StatementFailed(Exception):
    """The driver's error, and which statement of the batch it belongs to."""

    def __init__(self, name: str, error: psycopg.Error) -> None:
        super().__init__(name)
        self.name, self.error = name, error


def run(connection: psycopg.Connection[Row], statements: Sequence[Statement], *, commit: bool = False) -> list[Rows]:
    """The rows of every statement, in order; each statement sees what the ones before it did and waited for.

    With `commit` the transaction is committed in the same round trip, and not if any statement fails. Raises
    StatementFailed for the first that failed; those after it were not run.
    """
    cursors: list[psycopg.Cursor[Row]] = []
    try:
        with connection.pipeline() as pipeline:
            pipeline._exit_gen = lambda: _leave(pipeline)  # type: ignore[method-assign]
            for statement in statements:
                cursors.append(connection.execute(statement.sql, statement.values))
            if commit:
                connection.commit()
    except psycopg.Error as error:
        raise StatementFailed(_first_without_result(statements, cursors), error) from error
    return [cursor.fetchall() if cursor.description else [] for cursor in cursors]


def _leave(pipeline: psycopg.Pipeline) -> PQGen[None]:
    """As psycopg leaves a pipeline, without the Flush after its Sync.

    The Sync has everything sent already, and a message after it ends the server's watch for idle transactions: then
    `idle_in_transaction_session_timeout` never frees the seats of a process that was stopped.
    """
    try:
        pipeline._enqueue_sync()
        yield from pipeline._communicate_gen()
    finally:
        yield from pipeline._fetch_gen(flush=False)


def _first_without_result(statements: Sequence[Statement], cursors: Sequence[psycopg.Cursor[Row]]) -> str:
    for statement, cursor in zip(statements, cursors, strict=False):
        if cursor.pgresult is None:
            return statement.name
    return "commit"
