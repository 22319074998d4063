"""Batches on a connection of their own: what they promise whatever was done on it before."""

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from psycopg.errors import DivisionByZero, InFailedSqlTransaction
from psycopg.pq import TransactionStatus

from booking_postgres.driver.pipeline import Statement, StatementFailed, run

_TABLE = Statement("CREATE TABLE t (n integer)", {})
_INSERT = Statement("INSERT INTO t VALUES (%(n)s)", {"n": 1}, "insert")
_FAULT = Statement("SELECT 1 / 0", {}, "fault")


@pytest.fixture
def connection(fresh_database: Any) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(fresh_database()) as connection:
        run(connection, [_TABLE], commit=True)
        yield connection


def rows(connection: psycopg.Connection[Any]) -> int:
    [[[count]]] = run(connection, [Statement("SELECT count(*) FROM t", {})])
    return int(count)


def test_a_commit_of_a_transaction_that_had_failed_is_no_success(connection: psycopg.Connection[Any]) -> None:
    run(connection, [_INSERT])
    with pytest.raises(StatementFailed) as fault:
        run(connection, [_FAULT])
    assert isinstance(fault.value.error, DivisionByZero)

    with pytest.raises(StatementFailed) as failure:
        run(connection, [], commit=True)

    assert (failure.value.name, type(failure.value.error)) == ("commit", InFailedSqlTransaction)
    assert rows(connection) == 0


def test_a_commit_after_a_fault_in_the_same_batch_does_not_happen(connection: psycopg.Connection[Any]) -> None:
    with pytest.raises(StatementFailed) as failure:
        run(connection, [_INSERT, _FAULT], commit=True)

    assert (failure.value.name, type(failure.value.error)) == ("fault", DivisionByZero)
    connection.rollback()
    assert rows(connection) == 0


def test_a_commit_ends_the_transaction(connection: psycopg.Connection[Any]) -> None:
    run(connection, [_INSERT], commit=True)

    assert connection.info.transaction_status is TransactionStatus.IDLE
    assert rows(connection) == 1
