"""The library's workers over the shop's database: one pass for cron, or all of them in a process of their own."""

import json
from collections.abc import Sequence
from decimal import Decimal
from typing import Final
from uuid import UUID

from attrs import frozen
from sqlalchemy import Connection, Engine, text
from sqlalchemy.dialects.postgresql import insert

from booking_core.ports import Message
from booking_postgres.store import PostgresStore
from booking_workers import (
    CancellationJob,
    ExpiryJob,
    InstrumentedJob,
    Job,
    Relay,
    RetentionJob,
    ShouldContinue,
    StopSignals,
    metrics_renderer,
    run_together,
    serve_health,
)
from flask_shop.tables import make_tables, refunds
from flask_shop.transactions import in_transaction

# Any number that no other advisory lock of this database has.
_ONE_READER: Final = text("SELECT pg_advisory_xact_lock(75001)")


@frozen
class Shop:
    """Receives the events from the relay, and acts on them in the transaction in which the relay marks them."""

    connection: Connection

    def publish(self, topic: str, messages: Sequence[Message]) -> None:
        """Book refunds. A shop may also write mails here for `booking.confirmed`; docs/events lists every event."""
        for message in messages:
            if message.headers["event_type"] == "booking.refund_requested":
                payload = json.loads(message.value, parse_float=Decimal)["payload"]
                row = {
                    "booking_id": UUID(payload["bookingId"]),
                    "payment_id": payload["paymentId"],
                    "amount": payload["amount"],
                    "currency": payload["currency"],
                    "reason": payload["reason"],
                }
                self.connection.execute(insert(refunds).values(row).on_conflict_do_nothing())


class EventsJob:
    """Acts on each stored event exactly once, as long as acting means writing to this database.

    What leaves the database (an e-mail, a message to others) may happen twice. `acted_on` counts since the start.
    """

    name = "events"
    idle_seconds = 1.0

    def __init__(self, engine: Engine, store: PostgresStore) -> None:
        self.acted_on = 0
        self._engine, self._store = engine, store

    def run_once(self, should_continue: ShouldContinue = lambda: True) -> bool:
        """Act on a batch of events; True if more may wait."""

        def work(connection: Connection) -> tuple[bool, int]:
            # A second reader waits here, and then finds none of the events that this one has acted on.
            connection.execute(_ONE_READER)
            relay = Relay(self._store.on(connection), Shop(connection), "shop")
            return relay.run_once(should_continue), relay.published

        more, acted_on = in_transaction(self._engine, work)
        self.acted_on += acted_on
        return more

    def close(self) -> None:
        """Do nothing: the job opens nothing."""


class Upkeep:
    """Migrations, and the jobs. Safe to run twice at once."""

    def __init__(self, engine: Engine, store: PostgresStore) -> None:
        self.engine, self.store = engine, store
        self.expiry, self.events = ExpiryJob(store), EventsJob(engine, store)
        self.retention = RetentionJob(store, idempotency_hours=24, retention_days=7)
        # In this order, so that one pass of all acts on the events of the holds that it has ended.
        self.jobs: list[Job] = [CancellationJob(store), self.expiry, self.events, self.retention]

    def migrate(self) -> Sequence[str]:
        """The library's tables (in a transaction of its own) and then the shop's; the steps the library took."""
        steps = self.store.upkeep.migrate()
        with self.engine.begin() as connection:
            make_tables(connection)
        return steps

    def run_once(self) -> None:
        """One pass of every job, for cron."""
        for job in self.jobs:
            while job.run_once():
                pass

    def run(self, port: int) -> bool:
        """Every job in a thread of its own until SIGTERM; `port` has /healthz, /readyz and /metrics.

        False if a job did not end within 30 s: then the process should end without it.
        """
        jobs = [InstrumentedJob(job) for job in self.jobs]
        metrics = metrics_renderer(jobs, self.store)
        with (
            StopSignals() as signals,
            serve_health(port, self.store, signals.should_continue, metrics=metrics) as on_start,
        ):
            return run_together(jobs, signals.flag(), on_start=on_start)
