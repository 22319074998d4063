"""The checks of `booking doctor` for PostgreSQL, on one connection of the store's pool."""

import time
from collections.abc import Callable, Iterator
from typing import Any, Final

import psycopg
from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from booking_core.ports import Finding, Grade, Health, Workload
from booking_postgres import schema
from booking_postgres.driver.connection import PROBE_SECONDS, answers_within
from booking_postgres.driver.errors import WrongEncoding
from booking_postgres.driver.transaction import driver_of
from booking_postgres.driver.troubles import trouble_of

CHECKS: Final = ("database", "isolation", "connections", "schema")
_WRITES: Final = "writes"
OLDEST_VERSION: Final = 15
_RULE: Final = "read committed"
_URL: Final = "BOOKING_DATABASE_URL"

_SERVER: Final = """
    SELECT current_setting('server_version') AS version, current_setting('server_version_num')::int / 10000 AS major,
        pg_is_in_recovery() AS is_replica, current_setting('transaction_read_only') = 'on' AS is_read_only,
        current_setting('transaction_isolation') AS isolation,
        ARRAY(SELECT name FROM pg_settings WHERE setting = 'off'
              AND name IN ('fsync', 'full_page_writes', 'synchronous_commit') ORDER BY name) AS not_durable
"""
# PostgreSQL shows nothing of other users' sessions but their existence. Open sessions of ours, those of a running
# service, are part of what the service needs.
_CONNECTIONS: Final = """
    SELECT least(nullif(d.datconnlimit, -1) - here.of_database, nullif(r.rolconnlimit, -1) - here.of_user,
            s.most - s.reserved - here.of_all) AS free, here.ours AS ours,
        s.most AS most, nullif(d.datconnlimit, -1) AS of_database, nullif(r.rolconnlimit, -1) AS of_user
    FROM pg_database d, pg_roles r,
        (SELECT sum(setting::int) FILTER (WHERE name = 'max_connections') AS most,
                sum(setting::int) FILTER (WHERE name LIKE '%reserved_connections') AS reserved
         FROM pg_settings) s,
        (SELECT count(*) AS of_all, count(*) FILTER (WHERE datname = current_database()) AS of_database,
                count(*) FILTER (WHERE usename = current_user) AS of_user,
                count(*) FILTER (WHERE datname = current_database()
                                   AND application_name = current_setting('application_name')) AS ours
         FROM pg_stat_activity WHERE datid IS NOT NULL AND coalesce(backend_type, 'client backend') = 'client backend'
        ) here
    WHERE d.datname = current_database() AND r.rolname = current_user
"""
_RIGHTS: Final = """
    SELECT t.tablename || ' (' || p.wanted || ')'
    FROM pg_tables t, unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE']) AS p (wanted)
    WHERE t.schemaname = 'booking' AND t.tablename NOT IN ('schema_version', 'migration_turn')
        AND NOT has_table_privilege(format('%I.%I', t.schemaname, t.tablename), p.wanted)
    ORDER BY 1
"""


def diagnose(engine: Engine, workload: Workload, check_writes: Callable[[], Health]) -> Iterator[Finding]:
    """Yield the findings of CHECKS and `writes`; each answer may take 3 s at most."""
    troubled = None
    for finding in _diagnose(engine, workload):
        yield finding
        if finding.grade is Grade.TROUBLE and finding.check != "connections":
            troubled = troubled or finding.check
    if troubled:
        yield Finding(check=_WRITES, grade=Grade.SKIPPED, found=f"not looked at: see {troubled}")
        return
    # The connection of the checks before is back in the pool, which may have no other.
    health = check_writes()
    if health.is_ready:
        yield Finding(check=_WRITES, grade=Grade.OK, found="a booking can be written: tried, and undone")
    else:
        yield Finding(check=_WRITES, grade=Grade.TROUBLE, found=health.problem, advice=health.remedy)


def _diagnose(engine: Engine, workload: Workload) -> Iterator[Finding]:
    done = 0
    began = time.monotonic()
    try:
        with engine.connect() as connection, answers_within(driver_of(connection), PROBE_SECONDS):
            for finding in _findings(connection, workload, began):
                yield finding
                done += 1
    except (psycopg.Error, SQLAlchemyError, WrongEncoding) as error:
        yield _failed(CHECKS[done], error, engine)
        for check in CHECKS[done + 1 :]:
            yield Finding(check=check, grade=Grade.SKIPPED, found=f"not looked at: see {CHECKS[done]}")


def _findings(connection: Connection, workload: Workload, began: float) -> Iterator[Finding]:
    server = connection.execute(text(_SERVER)).one()
    yield _database(server, connection.engine, time.monotonic() - began)
    yield _isolation(server.isolation)
    yield _connections(connection.execute(text(_CONNECTIONS)).one(), workload)
    yield _schema(connection)


def _database(server: Any, engine: Engine, seconds: float) -> Finding:
    found = f"PostgreSQL {server.version} at {_place(engine)}, {seconds * 1000:.0f} ms to connect and ask"
    if server.major < OLDEST_VERSION:
        advice = f"upgrade PostgreSQL to version {OLDEST_VERSION} or newer"
        return Finding(check="database", grade=Grade.TROUBLE, found=f"{found}: too old", advice=advice)
    if server.is_replica or server.is_read_only:
        what = "a replica" if server.is_replica else "read-only for us (default_transaction_read_only)"
        advice = f"point {_URL} to the primary (several hosts: add target_session_attrs=read-write)"
        return Finding(check="database", grade=Grade.TROUBLE, found=f"{found}: it is {what}", advice=advice)
    if server.not_durable:
        found += f"; {', '.join(server.not_durable)} off: bookings may be lost when it crashes"
        return Finding(
            check="database", grade=Grade.WARNING, found=found, advice="set that to on, unless it is a trial"
        )
    return Finding(check="database", grade=Grade.OK, found=found)


def _isolation(isolation: str) -> Finding:
    if isolation == _RULE:
        return Finding(check="isolation", grade=Grade.OK, found="READ COMMITTED, whatever the server's own default is")
    found, advice = f"{isolation.upper()}: something between us and the database sets it", "take the proxy's rule away"
    return Finding(check="isolation", grade=Grade.TROUBLE, found=found, advice=advice)


def _connections(row: Any, workload: Workload) -> Finding:
    # The connection of this check is among those counted as open, and will be closed.
    ours = max(0, row.ours - 1)
    needed, free = max(0, workload.connections - ours), row.free + 1
    limits = (("of the server", row.most), ("of the database", row.of_database), ("of our user", row.of_user))
    limit = ", ".join(f"{number} {whose}" for whose, number in limits if number is not None)
    found = f"{free} free (limit: {limit}); {ours} open for us, {needed} more may be needed by serve and a worker"
    if free >= needed:
        return Finding(check="connections", grade=Grade.OK, found=found)
    advice = "lower BOOKING_DB_CONNECTIONS of the commands, or raise the limit (max_connections, or CONNECTION LIMIT)"
    return Finding(check="connections", grade=Grade.TROUBLE, found=found, advice=advice)


def _schema(connection: Connection) -> Finding:
    revision = schema.revision_of(connection)
    health = schema.health_of(revision)
    if not health.is_ready:
        return Finding(check="schema", grade=Grade.TROUBLE, found=health.problem, advice=health.remedy)
    missing = list(connection.execute(text(_RIGHTS)).scalars())
    if missing:
        more = f" and {len(missing) - 3} more" if len(missing) > 3 else ""
        return Finding(
            check="schema",
            grade=Grade.TROUBLE,
            found=f"version {revision}, but our user has no right to {', '.join(missing[:3])}{more}",
            advice="GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA booking to the user in " + _URL,
        )
    newest = schema.newest_revision()
    newer = f", newer than this program's {newest}, which may go on" if int(revision or 0) > int(newest) else ""
    return Finding(check="schema", grade=Grade.OK, found=f"version {revision}{newer}")


def _failed(check: str, error: Exception, engine: Engine) -> Finding:
    if isinstance(error, WrongEncoding):
        return Finding(check=check, grade=Grade.TROUBLE, found=error.problem, advice=error.remedy)
    cause = error.orig if isinstance(error, DBAPIError) and error.orig is not None else error
    primary = cause.diag.message_primary if isinstance(cause, psycopg.Error) else None
    text = " ".join((primary or str(cause)).split()).removeprefix("connection failed: ")
    if trouble := trouble_of(cause) if isinstance(cause, psycopg.Error) else None:
        return Finding(check=check, grade=Grade.TROUBLE, found=trouble.problem, advice=trouble.remedy)
    if check == CHECKS[0]:
        return Finding(
            check=check, grade=Grade.TROUBLE, found=f"no way into {_place(engine)}: {text}", advice=_login_advice(text)
        )
    return Finding(check=check, grade=Grade.TROUBLE, found=text, advice=_failure_advice(cause))


def _login_advice(text: str) -> str:
    """Return advice for an error text of libpq, which has no codes; texts of the server may be in another language."""
    for words, advice in (
        ("password authentication failed", f"check user and password in {_URL}"),
        ("no password supplied", f"put the password into {_URL}"),
        ("does not exist", f"create that user or database, or correct {_URL}"),
        (
            "pg_hba.conf",
            "allow this machine and user in the server's pg_hba.conf, or connect with TLS (sslmode=require)",
        ),
        ("not support SSL", f"set sslmode in {_URL} to what the server speaks, or have it speak TLS"),
        ("certificate", f"check sslrootcert and the host's name in {_URL}"),
        ("resolve host", f"correct the host in {_URL}, or the name service"),
        ("did not answer", "see whether the server is frozen, or out of memory or disk"),
    ):
        if words in text:
            return advice
    return f"check the host and port in {_URL}, that PostgreSQL runs there, and that the network lets us through"


def _failure_advice(cause: BaseException) -> str:
    if isinstance(cause, psycopg.errors.InsufficientPrivilege):
        return f"GRANT USAGE ON SCHEMA booking, and rights to its tables, to the user in {_URL}"
    return "see the server's log"


def _place(engine: Engine) -> str:
    """Return hosts, ports and database. The server's text names the user; nothing contains the password."""
    return str(engine.url.query["place"])
