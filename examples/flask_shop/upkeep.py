"""What has to happen behind the customers' backs: `flask --app flask_shop upkeep`, every minute, by cron."""

import json
from collections.abc import Sequence
from decimal import Decimal
from typing import Final
from uuid import UUID

from attrs import frozen
from sqlalchemy import Connection, Engine
from sqlalchemy.dialects.postgresql import insert

from booking_core import expire
from booking_core.ports import OutboxRecord
from booking_postgres.store import PostgresStore
from flask_shop.tables import make_tables, refunds
from flask_shop.transactions import in_transaction

_BATCH: Final = 100
_PRUNED_AT_ONCE: Final = 1000


@frozen
class Upkeep:
    """Migrations, the sweep, the events, and what has served its time. Safe to run twice at once."""

    engine: Engine
    store: PostgresStore

    def migrate(self) -> Sequence[str]:
        """The library's tables (in a transaction of its own) and then the shop's; the steps the library took."""
        steps = self.store.upkeep.migrate()
        with self.engine.begin() as connection:
            make_tables(connection)
        return steps

    def sweep(self) -> int:
        """End the holds whose time is over; how many. It only tidies: their seats were free at once."""
        return expire(store=self.store).expired

    def follow(self) -> int:
        """Act on a batch of events, each once; how many. 0 means that none waits, or that another run has them.

        The outbox is marked in the transaction that acts, so an event is acted on exactly once, as long as acting
        means writing to this database. What leaves it (an e-mail, a message to others) may happen twice.
        """

        def work(connection: Connection) -> int:
            outbox = self.store.on(connection).outbox
            records = outbox.unpublished(_BATCH)
            # First marked, then acted on: marking waits for a run that has the same events, and then finds fewer.
            if outbox.mark_published(records) < len(records):
                connection.rollback()
                return 0
            for record in records:
                _act(connection, record)
            return len(records)

        return in_transaction(self.engine, work)

    def prune(self) -> int:
        """Remove events a week after they were acted on, and other things that nobody asks for any more."""
        return self.store.upkeep.prune(idempotency_hours=24, retention_days=7, limit=_PRUNED_AT_ONCE).total


def _act(connection: Connection, record: OutboxRecord) -> None:
    """A shop may also write mails here for `booking.confirmed`, and so on: docs/events lists every event."""
    if record.event_type == "booking.refund_requested":
        payload = json.loads(record.body, parse_float=Decimal)["payload"]
        row = {
            "booking_id": UUID(payload["bookingId"]),
            "payment_id": payload["paymentId"],
            "amount": payload["amount"],
            "currency": payload["currency"],
            "reason": payload["reason"],
        }
        connection.execute(insert(refunds).values(row).on_conflict_do_nothing())
