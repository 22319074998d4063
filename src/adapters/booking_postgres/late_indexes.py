"""Indexes that no customer waits for: built beside the traffic, after the transaction of the migrations (ADR 0036).

No statement of a customer needs one of them, so a schema without them is current. A migration builds those whose table
is small at once; `migrate` builds the others CONCURRENTLY, which stops no write, and repairs what a killed build left.
"""

from typing import Final

from attrs import frozen
from psycopg.errors import DeadlockDetected, LockNotAvailable
from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import DBAPIError

from booking_postgres.driver.connection import answers_within
from booking_postgres.driver.transaction import driver_of

SMALL: Final = 10_000
"""Rows of a table whose index is built within the migration, in some 20 ms, while writes of the table wait."""
_MOST_DEADLOCKS: Final = 10
_IS_FREE: Final = "DO 'BEGIN LOCK TABLE booking.{table} IN SHARE UPDATE EXCLUSIVE MODE NOWAIT; END'"
_PAUSE: Final = text("SELECT pg_sleep(0.05 + random() / 5)")
_IS_VALID: Final = text("""
    SELECT i.indisvalid FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
    JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'booking' AND c.relname = :name
""")


@frozen
class LateIndex:
    """An index of a table in the schema `booking`; `definition` is what follows the table's name."""

    name: str
    table: str
    definition: str

    def create(self, how: str = "") -> str:
        """The statement that builds the index; `how` is CONCURRENTLY or empty."""
        return f"CREATE INDEX {how} IF NOT EXISTS {self.name} ON booking.{self.table} {self.definition}"


# What operators look bookings up by (migration 0008). None may fit a customer's statement, because a plan that was made
# for empty tables takes any index that fits: so none leads with a slot, and that of payments is over an expression,
# which no other statement has.
LATE_INDEXES: Final = (
    LateIndex("bookings_of_event", "bookings", "(event_id, created_at)"),
    LateIndex("claims_ended", "claims", "(slot, event_id, seat_id) WHERE ended_at IS NOT NULL"),
    LateIndex("payments_by_id", "payments", "((payment_id || ''))"),
    LateIndex("history_by_correlation", "history", "(correlation_id)"),
)


def build_if_small(connection: Connection, index: LateIndex) -> None:
    """Build the index in the caller's transaction if its table has at most SMALL rows."""
    counted = text(f"SELECT count(*) FROM (SELECT FROM booking.{index.table} LIMIT {SMALL + 1}) rows_of_it")  # noqa: S608
    if connection.execute(counted).scalar_one() <= SMALL:
        connection.execute(text(index.create()))


def build_missing_indexes(engine: Engine) -> None:
    """Build the late indexes that are missing or were left invalid, one after the other; writes go on meanwhile.

    Each build waits for the transactions that run when it begins. A concurrent call waits until the build has ended.
    """
    with (
        engine.execution_options(isolation_level="AUTOCOMMIT").connect() as connection,
        answers_within(driver_of(connection), None),
    ):
        for index in LATE_INDEXES:
            _build(connection, index)


def _build(connection: Connection, index: LateIndex) -> None:
    # REINDEX waits for a build that is still running, where DROP would undo it.
    create, repair = index.create("CONCURRENTLY"), f"REINDEX INDEX CONCURRENTLY booking.{index.name}"
    deadlocks = 0
    while not (valid := connection.execute(_IS_VALID, {"name": index.name}).scalar()):
        try:
            # A build that waited for another one would be a deadlock: the other waits for its snapshot. So this asks.
            connection.execute(text(_IS_FREE.format(table=index.table)))
            connection.execute(text(create if valid is None else repair))
        except DBAPIError as error:
            if isinstance(error.orig, DeadlockDetected) and deadlocks < _MOST_DEADLOCKS:  # both asked at once
                deadlocks += 1
            elif not isinstance(error.orig, LockNotAvailable):
                raise
            connection.execute(_PAUSE)
