"""The PostgreSQL store, given to the contract suites: an empty database, and time that passes by ageing its rows."""

from collections.abc import Sequence

from sqlalchemy import Engine, MetaData, Table, create_engine, text
from sqlalchemy.dialects.postgresql import TIMESTAMP

from booking_core.ports import OutboxRecord
from booking_postgres.adapter import create

_CONNECTIONS = 20
_OF_MIGRATIONS = ("schema_version", "migration_turn")
_EVENTS = """
    SELECT slot, key, sequence, message_id, event_type, correlation_id, recorded_at, body, traceparent
    FROM booking.outbox
"""


_tables: list[Table] = []


class PostgresStoreHarness:
    """A store over the database at `url`, which is brought up to date if it is empty."""

    def __init__(self, url: str) -> None:
        self.store = create({"BOOKING_DATABASE_URL": url, "BOOKING_DB_CONNECTIONS": str(_CONNECTIONS)})
        self.store.upkeep.migrate()
        self._engine: Engine = create_engine(url.replace("postgresql://", "postgresql+psycopg://", 1))

    def tables(self) -> Sequence[Table]:
        """The tables as the database describes them, parents first; read once, since all databases are alike."""
        if not _tables:
            metadata = MetaData(schema="booking")
            metadata.reflect(self._engine)
            _tables.extend(each for each in metadata.sorted_tables if each.name not in _OF_MIGRATIONS)
        return _tables

    def advance(self, seconds: float) -> None:
        with self._engine.begin() as connection:
            for table in self.tables():
                moments = [column.name for column in table.c if isinstance(column.type, TIMESTAMP)]
                ages = ", ".join(
                    f"{name} = {name} - make_interval(secs => :seconds)" for name in moments if name != "starts_at"
                )
                if ages:
                    connection.execute(text(f"UPDATE {table.fullname} SET {ages}"), {"seconds": seconds})

    def events(self) -> Sequence[OutboxRecord]:
        with self._engine.connect() as connection:
            rows = connection.execute(text(f"{_EVENTS} ORDER BY recorded_at, key, sequence")).all()
        return [
            OutboxRecord(
                slot=row.slot,
                key=row.key,
                sequence=row.sequence,
                message_id=row.message_id,
                event_type=row.event_type,
                correlation_id=row.correlation_id,
                recorded_at=row.recorded_at,
                body=row.body.encode(),
                traceparent=row.traceparent,
            )
            for row in rows
        ]

    def close(self) -> None:
        self._engine.dispose()
        self.store.close()


class EventLoopStoreHarness(PostgresStoreHarness):
    """The same store, with its groups on an event loop."""

    on_event_loop = True
