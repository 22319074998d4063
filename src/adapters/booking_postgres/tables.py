"""The tables as SQLAlchemy Core describes them. The migrations create them; a test compares the two."""

from sqlalchemy import (
    Boolean,
    Column,
    ForeignKeyConstraint,
    Integer,
    MetaData,
    Numeric,
    SmallInteger,
    Table,
    Text,
    Uuid,
)
from sqlalchemy.dialects.postgresql import TIMESTAMP

from booking_postgres.schema import SCHEMA

metadata = MetaData(schema=SCHEMA)
_TIME = TIMESTAMP(timezone=True)


def _slot() -> Column[int]:
    return Column("slot", SmallInteger, primary_key=True, autoincrement=False)


events = Table(
    "events",
    metadata,
    _slot(),
    Column("event_id", Uuid, primary_key=True),
    Column("name", Text, nullable=False),
    Column("starts_at", _TIME, nullable=False),
    Column("sale_status", Text, nullable=False),
    Column("currency", Text, nullable=False),
    Column("ages", Boolean, nullable=False),
    Column("complete", Boolean, nullable=False),
    Column("refreshed_at", _TIME, nullable=False),
    Column("closed_at", _TIME),
    Column("close_reason", Text),
    Column("closed_by", Text),
    Column("close_correlation_id", Text),
    Column("finished_at", _TIME),
    Column("affected_bookings", Integer, nullable=False),
)

seats = Table(
    "seats",
    metadata,
    _slot(),
    Column("event_id", Uuid, primary_key=True),
    Column("seat_id", Uuid, primary_key=True),
    Column("row_name", Text, nullable=False),
    Column("number", Integer, nullable=False),
    Column("price", Numeric, nullable=False),
    Column("withdrawn", Boolean, nullable=False),
    ForeignKeyConstraint(["slot", "event_id"], [events.c.slot, events.c.event_id]),
)

bookings = Table(
    "bookings",
    metadata,
    _slot(),
    Column("booking_id", Uuid, primary_key=True),
    Column("event_id", Uuid, nullable=False),
    Column("user_id", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("total", Numeric, nullable=False),
    Column("currency", Text, nullable=False),
    Column("created_at", _TIME, nullable=False),
    Column("expires_at", _TIME, nullable=False),
    Column("deadline", _TIME),
    Column("correlation_id", Text, nullable=False),
    Column("processing_started_at", _TIME),
    Column("confirmed_at", _TIME),
    Column("ticket_reference", Text),
    Column("confirmed_by", Text),
    Column("cancelled_at", _TIME),
    Column("cancellation_reason", Text),
    Column("revision", Integer, nullable=False),
    Column("sequence", Integer, nullable=False),
)

claims = Table(
    "claims",
    metadata,
    _slot(),
    Column("event_id", Uuid, nullable=False),
    Column("seat_id", Uuid, primary_key=True),
    Column("booking_id", Uuid, primary_key=True),
    Column("row_name", Text, nullable=False),
    Column("number", Integer, nullable=False),
    Column("price", Numeric, nullable=False),
    Column("held_until", _TIME),
    Column("ended_at", _TIME),
    ForeignKeyConstraint(["slot", "booking_id"], [bookings.c.slot, bookings.c.booking_id]),
    ForeignKeyConstraint(["slot", "event_id", "seat_id"], [seats.c.slot, seats.c.event_id, seats.c.seat_id]),
)

payments = Table(
    "payments",
    metadata,
    _slot(),
    Column("booking_id", Uuid, primary_key=True),
    Column("payment_id", Text, primary_key=True),
    Column("status", Text, nullable=False),
    Column("recorded_at", _TIME, nullable=False),
    Column("amount", Numeric),
    Column("currency", Text),
    Column("taken_at", _TIME),
    Column("refund_reason", Text),
    Column("refund_status", Text),
    Column("refund_requested_at", _TIME),
    Column("refund_answered_at", _TIME),
    ForeignKeyConstraint(["slot", "booking_id"], [bookings.c.slot, bookings.c.booking_id]),
)

history = Table(
    "history",
    metadata,
    _slot(),
    Column("booking_id", Uuid, primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("at", _TIME, nullable=False),
    Column("trigger", Text, nullable=False),
    Column("from_status", Text),
    Column("to_status", Text, nullable=False),
    Column("actor", Text, nullable=False),
    Column("actor_id", Text, nullable=False),
    Column("correlation_id", Text, nullable=False),
    Column("payment_id", Text),
    Column("note", Text, nullable=False),
)

outbox = Table(
    "outbox",
    metadata,
    _slot(),
    Column("key", Uuid, primary_key=True),
    Column("sequence", Integer, primary_key=True, autoincrement=False),
    Column("message_id", Uuid, nullable=False),
    Column("event_type", Text, nullable=False),
    Column("correlation_id", Text, nullable=False),
    Column("recorded_at", _TIME, nullable=False),
    Column("body", Text, nullable=False),
    Column("published_at", _TIME),
    Column("traceparent", Text),
)

inbox = Table(
    "inbox",
    metadata,
    _slot(),
    Column("message_id", Uuid, primary_key=True),
    Column("booking_id", Uuid, nullable=False),
    Column("received_at", _TIME, nullable=False),
)

customers = Table("customers", metadata, Column("user_id", Text, primary_key=True))

holds = Table(
    "holds",
    metadata,
    Column("user_id", Text, primary_key=True),
    Column("booking_id", Uuid, primary_key=True),
    Column("deadline", _TIME, nullable=False),
)

idempotency_keys = Table(
    "idempotency_keys",
    metadata,
    Column("user_id", Text, primary_key=True),
    Column("operation", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("fingerprint", Text, nullable=False),
    Column("answer", Text),
    Column("created_at", _TIME, nullable=False),
)
