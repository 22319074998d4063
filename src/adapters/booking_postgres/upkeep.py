"""Upkeep of the PostgreSQL store: migrations, retention, health and the counters of the pool."""

from collections.abc import Sequence
from typing import Final

from attrs import frozen
from sqlalchemy import Engine, text

from booking_core.domain.errors import BookingError
from booking_core.ports import ConnectionUse, Health, HealthKind, Pruned
from booking_postgres import schema
from booking_postgres.driver.connection import PROBE_SECONDS, TABLE_SCAN_SECONDS
from booking_postgres.driver.errors import NoRight, WrongEncoding, reason_of, translated
from booking_postgres.driver.pipeline import Statement
from booking_postgres.driver.reader import Reader, rows_on
from booking_postgres.driver.transaction import PoolCounters
from booking_postgres.driver.troubles import DatabaseTrouble

_PRUNE_EVENTS: Final = """
    DELETE FROM booking.outbox o USING (
        SELECT slot, key, sequence FROM booking.outbox
        WHERE published_at < CAST(:now AS timestamptz) - make_interval(secs => :age) LIMIT :limit) old
    WHERE o.slot = old.slot AND o.key = old.key AND o.sequence = old.sequence
"""
_PRUNE_ROWS: Final = (
    """
    DELETE FROM booking.idempotency_keys k USING (
        SELECT user_id, operation, key FROM booking.idempotency_keys
        WHERE created_at < CAST(:now AS timestamptz) - make_interval(secs => :key_age) LIMIT :limit) old
    WHERE k.user_id = old.user_id AND k.operation = old.operation AND k.key = old.key
    """,
    """
    DELETE FROM booking.inbox i USING (
        SELECT slot, message_id FROM booking.inbox
        WHERE received_at < CAST(:now AS timestamptz) - make_interval(secs => :age) AND NOT retained LIMIT :limit) old
    WHERE i.slot = old.slot AND i.message_id = old.message_id
    """,
    """
    DELETE FROM booking.holds h USING (
        SELECT user_id, booking_id FROM booking.holds
        WHERE deadline < CAST(:now AS timestamptz) - make_interval(secs => :age) LIMIT :limit) old
    WHERE h.user_id = old.user_id AND h.booking_id = old.booking_id
    """,
)


@frozen(eq=False)
class PostgresUpkeep:
    """See `booking_core.ports.Upkeep`. `engine` and `pool` are None in a transaction that the caller owns."""

    reader: Reader
    engine: Engine | None = None
    pool: PoolCounters | None = None

    def migrate(self) -> Sequence[str]:
        if self.engine is None:
            raise NotImplementedError("migrate with PostgresStore: migrations need a transaction of their own")
        with translated():
            return schema.migrate(self.engine)

    def prune(self, *, idempotency_hours: float, retention_days: float, limit: int) -> Pruned:
        with self.reader.open(answer_seconds=TABLE_SCAN_SECONDS) as connection:
            [[now]] = rows_on(connection, Statement("SELECT clock_timestamp()", {}))
            values = {
                "now": now,
                "key_age": idempotency_hours * 3600,
                "age": retention_days * 86400,
                "limit": limit,
            }
            rows = sum(connection.execute(text(statement), values).rowcount for statement in _PRUNE_ROWS)
            return Pruned(rows=rows, events=connection.execute(text(_PRUNE_EVENTS), values).rowcount)

    def health(self) -> Health:
        try:
            with self.reader.open(answer_seconds=PROBE_SECONDS) as connection:
                return schema.health_of(schema.revision_of(connection))
        except WrongEncoding as error:
            return Health(kind=HealthKind.UNSUITABLE, problem=error.problem, remedy=error.remedy)
        except DatabaseTrouble as trouble:
            return Health(kind=trouble.kind, problem=trouble.problem, remedy=trouble.remedy)
        except BookingError as error:
            remedy = f"check BOOKING_DATABASE_URL and that PostgreSQL runs{reason_of(error)}"
            return Health(kind=HealthKind.UNREACHABLE, problem="the database cannot be reached", remedy=remedy)
        except NoRight as error:
            return Health(kind=HealthKind.FORBIDDEN, problem=error.problem, remedy=error.remedy)

    def connection_use(self) -> ConnectionUse | None:
        return None if self.pool is None else self.pool.use()
