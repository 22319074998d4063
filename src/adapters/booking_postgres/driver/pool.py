"""Creation of the connection pool: at most as many connections as the service may open (spec 4.1).

Statements are prepared, but not behind a proxy: where sessions change hands between transactions, the name that one
client prepared may run the statement of another client, without an error. A proxy is detected when connecting.
`?prepare_threshold=3` in the URL prepares in any case, `=none` never. psycopg itself prepares nothing.

A server, a database, a role and the environment (PGDATESTYLE, PGOPTIONS) may set what our statements and the driver
rely on, so each new connection sets it again. Proxies carry the four settings that PostgreSQL reports from session to
session. The others are set on a connection without a proxy only: behind one they would reach other clients.
"""

from functools import partial
from typing import Any, Final

from sqlalchemy import Engine, create_engine, event
from sqlalchemy.engine import URL

from booking_postgres.driver.connection import ANSWER_SECONDS, ConnectionWithDeadline, PreparedStatements
from booking_postgres.driver.database_url import DatabaseUrl
from booking_postgres.driver.errors import WrongEncoding, require_utf8
from booking_postgres.driver.pipeline import Statement, StatementFailed, run
from booking_postgres.driver.transaction import refuse_dead_connection, roll_back_if_open

POOL_WAIT_SECONDS: Final = 5.0  # for a free connection
# Where the URL says nothing else.
_DEFAULTS: Final = {
    "connect_timeout": "3",  # seconds, for each host
    "application_name": "booking-core",
    # A silent network failure ends a wait after seconds, not after the hours of the kernel's defaults.
    "keepalives_idle": "10",
    "keepalives_interval": "5",
    "keepalives_count": "3",
    "tcp_user_timeout": "20000",  # milliseconds
}
# UTC: in another zone the last hours of year 9999 are beyond Python's range. Where a proxy does not carry the zone,
# `pipeline.in_utc` still converts. The driver reads times of no other style than ISO.
_REPORTED: Final = Statement(
    "SELECT pg_catalog.set_config('TimeZone', 'UTC', false), pg_catalog.set_config('DateStyle', 'ISO, MDY', false),"
    " pg_catalog.set_config('standard_conforming_strings', 'on', false), pg_catalog.pg_backend_pid()",
    {},
    plans=False,
)
# Each with its value as pg_settings shows it; a version of PostgreSQL that lacks one skips it. Times of the driver's
# own bound every statement, so a role's timeouts would end only what is meant to take long, such as a migration.
_WANTED: Final = {
    "array_nulls": "on",
    "bytea_output": "hex",
    "default_transaction_deferrable": "off",
    "default_transaction_isolation": "read committed",
    "extra_float_digits": "1",
    "idle_in_transaction_session_timeout": "0",
    "idle_session_timeout": "0",
    "IntervalStyle": "postgres",
    "lock_timeout": "0",
    "search_path": "pg_catalog",
    "statement_timeout": "0",
    "transaction_timeout": "0",
    "transform_null_equals": "off",
}
_OTHERS: Final = (
    "SELECT pg_catalog.set_config(w.name, w.value, false) FROM pg_catalog.pg_settings s"
    " JOIN unnest(%(names)s::text[], %(values)s::text[]) w (name, value) ON w.name = s.name"
    " WHERE s.setting <> w.value AND pg_catalog.pg_backend_pid() = %(pid)s"
)


def create_pool(
    url: str, connections: int, *, answer_seconds: float = ANSWER_SECONDS, pool_seconds: float = POOL_WAIT_SECONDS
) -> Engine:
    """Create an engine over psycopg 3 at READ COMMITTED with at most `connections`; connects lazily.

    An answer that takes longer than `answer_seconds` closes the connection, and the pool opens another one. A thread
    waits at most `pool_seconds` for a connection. Raises ValueError for a URL that libpq cannot read.
    """
    given = DatabaseUrl.parse(url)
    # For the dialect and for `place`; libpq receives the parameters as they were read.
    engine = create_engine(
        URL.create("postgresql+psycopg", query={"place": given.place}),
        isolation_level="READ COMMITTED",
        pool_size=connections,
        max_overflow=0,
        pool_timeout=pool_seconds,
        pool_use_lifo=True,
        pool_reset_on_return=None,
    )
    parameters: dict[str, Any] = {**_DEFAULTS, **given.parameters, "client_encoding": "UTF8", "prepare_threshold": None}

    def connect(dialect: object, record: object, args: object, named: object) -> ConnectionWithDeadline:
        connection = ConnectionWithDeadline.connect(**parameters)
        connection.answer_seconds = answer_seconds
        return connection

    event.listen(engine, "do_connect", connect)
    event.listen(engine, "connect", partial(_set_up, preparing=given.preparing))
    event.listen(engine, "reset", roll_back_if_open)
    event.listen(engine, "checkout", refuse_dead_connection)
    return engine


def _set_up(connection: Any, record: object, *, preparing: str | None) -> None:
    """Set what we rely on, in one round trip, and decide whether statements are prepared here.

    Raises the driver's error, as SQLAlchemy expects it when connecting, and WrongEncoding.
    """
    announced = connection.pgconn.backend_pid
    others = Statement(_OTHERS, {"names": list(_WANTED), "values": list(_WANTED.values()), "pid": announced})
    try:
        [[(_, _, _, pid)], _] = run(connection, [_REPORTED, others], begin=False)
    except StatementFailed as failure:
        connection.close()
        raise failure.error from failure
    try:
        require_utf8(connection)
    except WrongEncoding:
        connection.close()
        raise
    # The process announced at login serves this connection: then no proxy is in between.
    if preparing == "yes" or (preparing is None and pid == announced):
        connection.prepared = PreparedStatements()
