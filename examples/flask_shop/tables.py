"""The shop's own tables, beside the library's in the same database.

The shop refers to a booking by its id and nothing else: the tables of the schema `booking` are the library's, so no
foreign key leads there and no query of ours reads them. A real shop has migrations of its own instead of `make_tables`.
"""

from typing import Final

from sqlalchemy import Column, Connection, DateTime, MetaData, Numeric, Table, Text, Uuid, func, text

SCHEMA: Final = "shop"
metadata: Final = MetaData(schema=SCHEMA)

orders: Final = Table(
    "orders",
    metadata,
    Column("number", Text, primary_key=True),
    Column("customer", Text, nullable=False),
    Column("booking_id", Uuid, nullable=False, unique=True),
    Column("placed_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
)
"""An order has no status of its own: its booking has one, which also knows of time running out."""

refunds: Final = Table(
    "refunds",
    metadata,
    Column("booking_id", Uuid, primary_key=True),
    Column("payment_id", Text, primary_key=True),
    Column("amount", Numeric, nullable=False),
    Column("currency", Text, nullable=False),
    Column("reason", Text, nullable=False),
)
"""Money that the library asks the shop to give back; whoever pays it back empties this."""


def make_tables(connection: Connection) -> None:
    """Make those that are missing."""
    connection.execute(text(f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}"))
    metadata.create_all(connection)
