"""Tables without indexes and keys while millions of rows go in: they are built once afterwards, which takes minutes."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import psycopg

_KEYS: Final = """
    SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint
    WHERE connamespace = 'booking'::regnamespace AND contype IN ('p', 'u', 'f') AND conparentid = 0
        AND conrelid <> ALL (ARRAY['booking.events', 'booking.seats']::regclass[])
    ORDER BY contype = 'f', conrelid, conname
"""
_INDEXES: Final = """
    SELECT i.indexrelid::regclass::text, pg_get_indexdef(i.indexrelid)
    FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
    WHERE c.relnamespace = 'booking'::regnamespace AND c.relkind IN ('i', 'I') AND NOT c.relispartition
        AND i.indrelid <> ALL (ARRAY['booking.events', 'booking.seats']::regclass[])
        AND NOT EXISTS (SELECT FROM pg_constraint k WHERE k.conindid = i.indexrelid AND k.contype IN ('p', 'u'))
"""
_BUILDING: Final = ("SET maintenance_work_mem = '512MB'", "SET max_parallel_maintenance_workers = 1")


@contextmanager
def without_indexes(url: str) -> Iterator[None]:
    """No index, primary, unique or foreign key in the database while the block runs; all as before afterwards.

    Those of events and seats stay: bookings are made by reading them.
    """
    with psycopg.connect(url, autocommit=True) as connection:
        keys = connection.execute(_KEYS.encode()).fetchall()
        indexes = connection.execute(_INDEXES.encode()).fetchall()
        for table, name, _ in reversed(keys):
            connection.execute(f'ALTER TABLE {table} DROP CONSTRAINT "{name}"'.encode())
        for name, _ in indexes:
            connection.execute(f"DROP INDEX {name}".encode())
    yield
    with psycopg.connect(url, autocommit=True) as connection:
        for setting in _BUILDING:
            connection.execute(setting.encode())
        for _, definition in indexes:
            connection.execute(definition.encode())
        for table, name, definition in keys:
            connection.execute(f'ALTER TABLE {table} ADD CONSTRAINT "{name}" {definition}'.encode())
