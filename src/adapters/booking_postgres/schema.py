"""The schema in the database: migrating it, and checking its revision (ADR 0010).

Revisions are numbers that grow by one and can be compared: a service runs on a schema that is current or newer, because
during an upgrade the old version of the service still runs.
"""

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

from psycopg.errors import DuplicateObject, DuplicateSchema, DuplicateTable, UniqueViolation
from sqlalchemy import Connection, Engine, inspect, text
from sqlalchemy.exc import IntegrityError, ProgrammingError

from booking_core.ports import Health, HealthKind
from booking_postgres.driver.connection import answers_within
from booking_postgres.driver.transaction import driver_of
from booking_postgres.late_indexes import build_missing_indexes

if TYPE_CHECKING:
    from alembic.config import Config

SCHEMA: Final = "booking"
VERSION_TABLE: Final = "schema_version"
_MIGRATION_LOCK: Final = "migration_turn"
_ATTEMPTS: Final = 5
_MIGRATE: Final = "run `booking migrate`"
# Behind a proxy a role may have timeouts that are meant for requests.
_NO_TIMEOUTS: Final = text(
    "SELECT set_config(name, '0', true) FROM pg_settings WHERE name IN ('statement_timeout', 'lock_timeout',"
    " 'idle_in_transaction_session_timeout', 'transaction_timeout')"
)
_CREATED_MEANWHILE: Final = (DuplicateObject, DuplicateSchema, DuplicateTable, UniqueViolation)
_MIGRATIONS: Final = Path(__file__).with_name("migrations")


@cache
def newest_revision() -> str:
    """Return the revision that this version of the code needs: the number of its newest migration."""
    return max(path.name.partition("_")[0] for path in (_MIGRATIONS / "versions").glob("[0-9]*.py"))


def revision_of(connection: Connection) -> str | None:
    """Return the revision of the schema in the database; None without a schema."""
    if not inspect(connection).has_table(VERSION_TABLE, schema=SCHEMA):
        return None
    found = connection.execute(text(f"SELECT version_num FROM {SCHEMA}.{VERSION_TABLE}")).scalar()  # noqa: S608
    return None if found is None else str(found)


def health_of(revision: str | None) -> Health:
    """Return whether this version of the code can run on a schema of that revision."""
    needed = newest_revision()
    if revision is None:
        problem = f"the database has no schema, version {needed} is needed"
        return Health(kind=HealthKind.NO_SCHEMA, problem=problem, remedy=_MIGRATE)
    if int(revision) < int(needed):
        problem = f"the database schema has version {revision}, version {needed} is needed"
        return Health(kind=HealthKind.OLD_SCHEMA, problem=problem, remedy=_MIGRATE)
    return Health()


def migrate(engine: Engine) -> list[str]:
    """Bring the schema up to date, and build the indexes that are missing; returns the revisions applied, oldest first.

    The revisions are one transaction. A concurrent call waits for the first and applies nothing. They exclude each
    other by the lock of a table, which also works where advisory locks are per node.
    """
    applied = _apply_revisions(engine)
    build_missing_indexes(engine)
    return applied


def _apply_revisions(engine: Engine) -> list[str]:
    for attempt in range(_ATTEMPTS):
        try:
            # No deadline: a migration may take long, and waits for another one.
            with engine.begin() as connection, answers_within(driver_of(connection), None):
                return _migrate(connection)
        except (IntegrityError, ProgrammingError) as error:
            # Of two concurrent CREATE ... IF NOT EXISTS, one may fail although the object then exists.
            if attempt == _ATTEMPTS - 1 or not isinstance(error.orig, _CREATED_MEANWHILE):
                raise
    return []


def _migrate(connection: Connection) -> list[str]:
    connection.execute(_NO_TIMEOUTS)
    connection.execute(text(f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}"))
    connection.execute(text(f"CREATE TABLE IF NOT EXISTS {SCHEMA}.{_MIGRATION_LOCK} (nothing smallint)"))
    connection.execute(text(f"LOCK TABLE {SCHEMA}.{_MIGRATION_LOCK} IN ACCESS EXCLUSIVE MODE"))
    before = revision_of(connection)
    if health_of(before).is_ready:
        return []
    config = alembic_config()
    config.attributes["connection"] = connection
    # Imported here because importing alembic takes longer than most commands.
    from alembic import command
    from alembic.script import ScriptDirectory

    command.upgrade(config, "head")
    known = [script.revision for script in ScriptDirectory.from_config(config).walk_revisions()]
    return sorted(each for each in known if before is None or int(each) > int(before))


def alembic_config() -> "Config":
    """Return the configuration of alembic; the caller puts the connection into its `attributes`."""
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config
