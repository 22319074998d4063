"""The store over PostgreSQL: a pool of its own, or one connection that the caller owns."""

from collections.abc import Iterable, Sequence
from typing import Final

from attrs import define, field
from sqlalchemy import Connection, Engine, text

from booking_core.domain.errors import BookingError
from booking_core.ports import ConnectionUse, Finding, Outbox, Queries, UnitOfWork, Workload
from booking_postgres import schema
from booking_postgres.driver.deadlines import LONG_PATIENCE_SECONDS, SHORT_PATIENCE_SECONDS
from booking_postgres.driver.errors import NoRight, reason_of, translated
from booking_postgres.driver.pool_metrics import PoolWatch
from booking_postgres.driver.transaction import CallersTransaction, OwnTransaction
from booking_postgres.outbox import PostgresOutbox
from booking_postgres.reads.connection import Reader
from booking_postgres.reads.queries import PostgresQueries
from booking_postgres.reads.seat_maps import SeatMaps
from booking_postgres.writes.session import Session
from booking_postgres.writes.unit_of_work import PostgresUnitOfWork

_DEFAULT_HOURS: Final = 24.0
_PRUNE: Final = (
    """
    DELETE FROM booking.idempotency_keys k USING (
        SELECT user_id, operation, key FROM booking.idempotency_keys
        WHERE created_at < CAST(:now AS timestamptz) - make_interval(secs => :key_age) LIMIT :limit) old
    WHERE k.user_id = old.user_id AND k.operation = old.operation AND k.key = old.key
    """,
    """
    DELETE FROM booking.inbox i USING (
        SELECT slot, message_id FROM booking.inbox
        WHERE received_at < CAST(:now AS timestamptz) - make_interval(secs => :age) LIMIT :limit) old
    WHERE i.slot = old.slot AND i.message_id = old.message_id
    """,
    """
    DELETE FROM booking.holds h USING (
        SELECT user_id, booking_id FROM booking.holds
        WHERE deadline < CAST(:now AS timestamptz) - make_interval(secs => :age) LIMIT :limit) old
    WHERE h.user_id = old.user_id AND h.booking_id = old.booking_id
    """,
)


@define(eq=False)
class _OverReader:
    """What both stores do in the same way over the connections of their reader."""

    _reader: Reader = field(init=False)
    _seat_maps: SeatMaps = field(init=False)

    def _read_by(self, reader: Reader) -> None:
        self._reader, self._seat_maps = reader, SeatMaps(reader)

    @property
    def queries(self) -> Queries:
        return PostgresQueries(self._reader, self._seat_maps)

    @property
    def outbox(self) -> Outbox:
        return PostgresOutbox(self._reader)

    def prune(self, *, idempotency_hours: float, retention_days: float, limit: int) -> int:
        with self._reader.open(patience=LONG_PATIENCE_SECONDS) as connection:
            values = {
                "now": connection.execute(text("SELECT clock_timestamp()")).scalar_one(),
                "key_age": idempotency_hours * 3600,
                "age": retention_days * 86400,
                "limit": limit,
            }
            return sum(connection.execute(text(statement), values).rowcount for statement in _PRUNE)


@define(eq=False)
class PostgresStore(_OverReader):
    """See `booking_core.ports.Store`. Opens no more connections than its engine's pool holds."""

    engine: Engine
    idempotency_hours: float = _DEFAULT_HOURS
    retries: int = field(default=3, init=False)
    _pool_watch: PoolWatch = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._read_by(Reader(engine=self.engine))
        self._pool_watch = PoolWatch(self.engine)

    def unit_of_work(self) -> UnitOfWork:
        return PostgresUnitOfWork(Session(OwnTransaction(self.engine), self.idempotency_hours))

    def on(self, connection: Connection) -> "JoinedStore":
        """The same store inside the caller's transaction: nothing is committed, rolled back or closed by us.

        A use case on it raises WrongIsolationLevel unless the connection is at READ COMMITTED. A refusal leaves the
        caller's transaction usable, with none of our writes in it. Retrying after TransactionConflict is the caller's.
        """
        return JoinedStore(connection, self.idempotency_hours)

    def migrate(self) -> Sequence[str]:
        with translated():
            return schema.migrate(self.engine)

    def trouble(self) -> str | None:
        try:
            with self._reader.open(patience=SHORT_PATIENCE_SECONDS) as connection:
                return schema.trouble_with(schema.revision_of(connection))
        except BookingError as error:
            advice = "the database cannot be reached: check BOOKING_DATABASE_URL and that PostgreSQL runs"
            return f"{advice}{reason_of(error)}"
        except NoRight as error:
            return str(error)

    def connection_use(self) -> ConnectionUse:
        """See `booking_core.ports.LendsConnections`."""
        return self._pool_watch.use()

    def diagnose(self, workload: Workload) -> Iterable[Finding]:
        """See `booking_core.ports.Diagnosis`."""
        from booking_postgres.diagnosis import diagnose

        return diagnose(self.engine, workload)

    def close(self) -> None:
        self.engine.dispose()


@define(eq=False)
class JoinedStore(_OverReader):
    """A store in a transaction that the caller owns, on the caller's connection. Used by one thread at a time."""

    connection: Connection
    idempotency_hours: float = _DEFAULT_HOURS
    retries: int = field(default=0, init=False)

    def __attrs_post_init__(self) -> None:
        self._read_by(Reader(connection=self.connection))

    def unit_of_work(self) -> UnitOfWork:
        return PostgresUnitOfWork(Session(CallersTransaction(self.connection), self.idempotency_hours))

    def migrate(self) -> Sequence[str]:
        """Refused: migrations need a connection and a transaction of their own."""
        raise NotImplementedError("migrate with PostgresStore: it needs a transaction of its own")

    def trouble(self) -> str | None:
        return schema.trouble_with(schema.revision_of(self.connection))

    def close(self) -> None:
        """Does nothing: the connection is the caller's."""
