"""The schema in the database: bringing it up to date, and telling whether it is (ADR 0010).

Revisions are numbers that grow by one, so that "older" and "newer" can be told apart: a service runs on a schema that
is current or newer, for during an upgrade the old version still serves.
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

if TYPE_CHECKING:
    from alembic.config import Config

SCHEMA: Final = "booking"
VERSION_TABLE: Final = "schema_version"
_TURN: Final = "migration_turn"
_ATTEMPTS: Final = 5
_MIGRATE: Final = "run `booking migrate`"
_MADE_MEANWHILE: Final = (DuplicateObject, DuplicateSchema, DuplicateTable, UniqueViolation)
_MIGRATIONS: Final = Path(__file__).with_name("migrations")


@cache
def newest_revision() -> str:
    """The revision that this version of the code needs: the number of the newest migration that ships with it."""
    return max(path.name.partition("_")[0] for path in (_MIGRATIONS / "versions").glob("[0-9]*.py"))


def revision_of(connection: Connection) -> str | None:
    """The revision of the schema in the database; None if there is none."""
    if not inspect(connection).has_table(VERSION_TABLE, schema=SCHEMA):
        return None
    found = connection.execute(text(f"SELECT version_num FROM {SCHEMA}.{VERSION_TABLE}")).scalar()  # noqa: S608
    return None if found is None else str(found)


def health_of(revision: str | None) -> Health:
    """Whether this version of the code can work with a schema of that revision."""
    needed = newest_revision()
    if revision is None:
        problem = f"the database has no schema, version {needed} is needed"
        return Health(kind=HealthKind.NO_SCHEMA, problem=problem, remedy=_MIGRATE)
    if int(revision) < int(needed):
        problem = f"the database schema has version {revision}, version {needed} is needed"
        return Health(kind=HealthKind.OLD_SCHEMA, problem=problem, remedy=_MIGRATE)
    return Health()


def migrate(engine: Engine) -> list[str]:
    """Bring the schema up to date in one transaction; returns the revisions applied, oldest first.

    Whoever comes second waits for the first and finds nothing to do. The turn is a lock on a table, which also holds
    where advisory locks are per node.
    """
    for attempt in range(_ATTEMPTS):
        try:
            # A migration takes as long as it takes, and waits for its turn.
            with engine.begin() as connection, answers_within(driver_of(connection), None):
                return _migrate(connection)
        except (IntegrityError, ProgrammingError) as error:
            # Two CREATE ... IF NOT EXISTS at once: one of them fails although the thing then exists.
            if attempt == _ATTEMPTS - 1 or not isinstance(error.orig, _MADE_MEANWHILE):
                raise
    return []


def _migrate(connection: Connection) -> list[str]:
    connection.execute(text(f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}"))
    connection.execute(text(f"CREATE TABLE IF NOT EXISTS {SCHEMA}.{_TURN} (nothing smallint)"))
    connection.execute(text(f"LOCK TABLE {SCHEMA}.{_TURN} IN ACCESS EXCLUSIVE MODE"))
    before = revision_of(connection)
    if health_of(before).is_ready:
        return []
    config = alembic_config()
    config.attributes["connection"] = connection
    # Only here: importing alembic takes longer than most commands run.
    from alembic import command
    from alembic.script import ScriptDirectory

    command.upgrade(config, "head")
    known = [script.revision for script in ScriptDirectory.from_config(config).walk_revisions()]
    return sorted(each for each in known if before is None or int(each) > int(before))


def alembic_config() -> "Config":
    """Where alembic finds the migrations; the connection goes into its `attributes`."""
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config
