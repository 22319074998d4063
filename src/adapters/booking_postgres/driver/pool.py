"""The connection pool: as many connections as the service may have, and never more (spec 4.1).

The statements of batches are prepared, but not behind a proxy: where sessions change hands between transactions, the
name of a statement that one client prepared may run another client's statement, with no error. A proxy is recognised
by itself. `?prepare_threshold=3` in the URL prepares all the same, `=none` never. psycopg itself prepares nothing.
"""

import select
from collections.abc import Mapping, Sequence
from typing import Any, Final

import psycopg
from psycopg.pq import TransactionStatus
from sqlalchemy import Engine, create_engine, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DisconnectionError

from booking_postgres.driver import prepared
from booking_postgres.driver.deadlines import PATIENCE_SECONDS, ConnectionWithDeadline
from booking_postgres.driver.pipeline import Rows, Statement, StatementFailed, run

_POOL_WAIT_SECONDS: Final = 5.0
_CONNECT_TIMEOUT_SECONDS: Final = 3


def create_pool(url: str, connections: int, *, patience: float = PATIENCE_SECONDS) -> Engine:
    """An engine over psycopg 3 at READ COMMITTED that opens at most `connections`; nothing is connected yet.

    Each answer may take `patience` seconds; then the connection is closed, and the pool opens another in its place.
    """
    try:
        given = make_url(url)
    except ArgumentError as error:
        raise ValueError("not a database URL: it must look like postgresql://user:password@host:5432/name") from error
    wish = _prepare_threshold(given)
    parsed = given.difference_update_query(["prepare_threshold"]).set(drivername="postgresql+psycopg")
    engine = create_engine(
        parsed,
        isolation_level="READ COMMITTED",
        pool_size=connections,
        max_overflow=0,
        pool_timeout=_POOL_WAIT_SECONDS,
        pool_use_lifo=True,
        pool_reset_on_return=None,
        connect_args={
            "prepare_threshold": None,
            "connect_timeout": _CONNECT_TIMEOUT_SECONDS,
            "application_name": "booking-core",
            # A cut that nobody announces ends a wait after seconds, not after the kernel's hours.
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
        connection.patience = patience
        return connection

    event.listen(engine, "do_connect", connect)
    event.listen(engine, "connect", _speak_utc)
    event.listen(engine, "reset", _roll_back_what_is_open)
    event.listen(engine, "checkout", _refuse_dead_connection)
    if wish != "none":
        event.listen(engine, "connect", _prepare_unless_proxied if wish is None else _prepare)
    return engine


def _prepare_threshold(url: URL) -> str | None:
    """What the URL says about preparing: "none", "yes", or nothing."""
    given = url.query.get("prepare_threshold")
    if given is None:
        return None
    text = given if isinstance(given, str) else given[-1]
    if text.lower() in ("none", "off", ""):
        return "none"
    int(text)  # ValueError for what is neither
    return "yes"


def _prepare(connection: Any, record: object) -> None:
    prepared.allow_on(connection)


def _prepare_unless_proxied(connection: Any, record: object) -> None:
    """The process id that was announced at login is the one that serves us, unless a proxy is between."""
    if _ask(connection, "SELECT pg_backend_pid()") == [(connection.pgconn.backend_pid,)]:
        prepared.allow_on(connection)


def _speak_utc(connection: Any, record: object) -> None:
    """Times are sent and read in UTC, whatever the server's own zone: year 9999 has no hour more than Python knows.

    Proxies follow this setting from session to session; where one does not, `batch.in_utc` is right all the same.
    """
    _ask(connection, "SET TimeZone TO 'UTC'")


def _ask(connection: "psycopg.Connection[Any]", sql: str) -> Rows:
    """The rows of a statement by itself. Raises the driver's error, as whoever makes connections expects it."""
    try:
        [rows] = run(connection, [Statement(sql, {}, plans=False)], begin=False)
    except StatementFailed as failure:
        connection.close()
        raise failure.error from failure
    return rows


def _roll_back_what_is_open(connection: Any, record: object, state: object) -> None:
    """Most connections come back committed: to ask psycopg for a rollback that does nothing costs more than to look."""
    if connection.pgconn.transaction_status != TransactionStatus.IDLE:
        connection.rollback()


def _refuse_dead_connection(connection: Any, record: object, proxy: object) -> None:
    """An idle connection with something to read was closed by the server: the pool then opens another.

    This costs no round trip, unlike a ping.
    """
    if connection.closed:
        raise DisconnectionError()
    poll = select.poll()
    poll.register(connection.pgconn.socket, select.POLLIN | select.POLLHUP | select.POLLERR)
    if poll.poll(0):
        raise DisconnectionError()
