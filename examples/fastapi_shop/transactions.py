"""The shop's transactions: the library's use cases run inside of them, and never end them.

Everything here blocks, and so does the library: it is for threads, never for the event loop.
"""

from collections.abc import Callable
from typing import Final, TypeVar

from sqlalchemy import Connection, Engine, create_engine, make_url, text

from booking_core import TransactionConflict

T = TypeVar("T")
_ATTEMPTS: Final = 4


def make_engine(url: str, connections: int) -> Engine:
    """One pool for the shop and the library together; connects lazily. psycopg 3 at READ COMMITTED, as the library
    needs it: anything else is WrongIsolationLevel, and SQLAlchemy's async engines have no connection it could use."""
    return create_engine(
        make_url(url).set(drivername="postgresql+psycopg"),
        isolation_level="READ COMMITTED",
        pool_size=connections,
        max_overflow=0,
        pool_timeout=5,
    )


def in_transaction(engine: Engine, work: Callable[[Connection], T]) -> T:
    """What `work` returns, committed; nothing of it is written if it raises.

    In a transaction of ours the library bounds no wait and repeats nothing, so both are done here: a wait for a lock
    ends after 2 s (ServiceBusy), and what the database gave up (a deadlock) is run again from the beginning.
    """
    for attempt in range(1, _ATTEMPTS + 1):
        try:
            with engine.begin() as connection:
                connection.execute(text("SET LOCAL lock_timeout = '2s'"))
                return work(connection)
        except TransactionConflict:
            if attempt == _ATTEMPTS:
                raise
    raise AssertionError("unreachable")
