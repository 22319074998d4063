"""Creation of the connection pool: at most as many connections as the service may open (spec 4.1).

Statements are prepared, but not behind a proxy: where sessions change hands between transactions, the name that one
client prepared may run the statement of another client, without an error. A proxy is detected when connecting.
`?prepare_threshold=3` in the URL prepares in any case, `=none` never. psycopg itself prepares nothing.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import psycopg
from sqlalchemy import Engine, create_engine, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from booking_postgres.driver.connection import ANSWER_SECONDS, ConnectionWithDeadline, PreparedStatements
from booking_postgres.driver.pipeline import Rows, Statement, StatementFailed, run
from booking_postgres.driver.transaction import refuse_dead_connection, roll_back_if_open

POOL_WAIT_SECONDS: Final = 5.0  # for a free connection
_CONNECT_TIMEOUT_SECONDS: Final = 3  # to open a connection


def create_pool(
    url: str, connections: int, *, answer_seconds: float = ANSWER_SECONDS, pool_seconds: float = POOL_WAIT_SECONDS
) -> Engine:
    """Create an engine over psycopg 3 at READ COMMITTED with at most `connections`; connects lazily.

    An answer that takes longer than `answer_seconds` closes the connection, and the pool opens another one. A thread
    waits at most `pool_seconds` for a connection. Raises ValueError for a malformed URL.
    """
    try:
        given = make_url(url)
    except ArgumentError as error:
        raise ValueError("not a database URL: it must look like postgresql://user:password@host:5432/name") from error
    preparing = _prepare_threshold(given)
    parsed = given.difference_update_query(["prepare_threshold"]).set(drivername="postgresql+psycopg")
    engine = create_engine(
        parsed,
        isolation_level="READ COMMITTED",
        pool_size=connections,
        max_overflow=0,
        pool_timeout=pool_seconds,
        pool_use_lifo=True,
        pool_reset_on_return=None,
        connect_args={
            "prepare_threshold": None,
            "connect_timeout": _CONNECT_TIMEOUT_SECONDS,
            "application_name": "booking-core",
            # A silent network failure ends a wait after seconds, not after the hours of the kernel's defaults.
            "keepalives_idle": 10,
            "keepalives_interval": 5,
            "keepalives_count": 3,
            "tcp_user_timeout": 20_000,
        },
    )

    def connect(
        dialect: object, record: object, args: Sequence[Any], named: Mapping[str, Any]
    ) -> ConnectionWithDeadline:
        connection = ConnectionWithDeadline.connect(*args, **named)
        connection.answer_seconds = answer_seconds
        return connection

    event.listen(engine, "do_connect", connect)
    event.listen(engine, "connect", _set_utc)
    event.listen(engine, "reset", roll_back_if_open)
    event.listen(engine, "checkout", refuse_dead_connection)
    if preparing != "none":
        event.listen(engine, "connect", _prepare_unless_proxied if preparing is None else _prepare)
    return engine


def _prepare_threshold(url: URL) -> str | None:
    """Return the setting for preparing in the URL: "none", "yes", or None if it is not set."""
    given = url.query.get("prepare_threshold")
    if given is None:
        return None
    text = given if isinstance(given, str) else given[-1]
    if text.lower() in ("none", "off", ""):
        return "none"
    int(text)  # ValueError for any other text
    return "yes"


def _prepare(connection: Any, record: object) -> None:
    connection.prepared = PreparedStatements()


def _prepare_unless_proxied(connection: Any, record: object) -> None:
    """Prepare if the process announced at login serves this connection: then no proxy is in between."""
    if _ask(connection, "SELECT pg_backend_pid()") == [(connection.pgconn.backend_pid,)]:
        connection.prepared = PreparedStatements()


def _set_utc(connection: Any, record: object) -> None:
    """Set the session to UTC: in another zone the last hours of year 9999 are beyond Python's range.

    Proxies carry this setting from session to session; where one does not, `pipeline.in_utc` still converts.
    """
    _ask(connection, "SET TimeZone TO 'UTC'")


def _ask(connection: "psycopg.Connection[Any]", sql: str) -> Rows:
    """Run one statement by itself. Raises the driver's error, as SQLAlchemy expects it when connecting."""
    try:
        [rows] = run(connection, [Statement(sql, {}, plans=False)], begin=False)
    except StatementFailed as failure:
        connection.close()
        raise failure.error from failure
    return rows
