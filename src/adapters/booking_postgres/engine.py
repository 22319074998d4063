"""The connection pool: as many connections as the service may have, and never more (spec 4.1).

Statements are prepared by psycopg after a few uses. Behind a transaction-pooling proxy without prepared statements
say so in the URL: `?prepare_threshold=none`; a server that lost a statement turns them off by itself.
"""

import select
from typing import Any, Final

from sqlalchemy import Engine, create_engine, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import DisconnectionError

_PREPARE_AFTER: Final = 3
_POOL_WAIT_SECONDS: Final = 5.0
_CONNECT_TIMEOUT_SECONDS: Final = 3


def create_pool(url: str, connections: int) -> Engine:
    """An engine over psycopg 3 at READ COMMITTED that opens at most `connections`; nothing is connected yet."""
    parsed, prepare = _without_prepare_threshold(make_url(url).set(drivername="postgresql+psycopg"))
    engine = create_engine(
        parsed,
        isolation_level="READ COMMITTED",
        pool_size=connections,
        max_overflow=0,
        pool_timeout=_POOL_WAIT_SECONDS,
        pool_use_lifo=True,
        connect_args={
            "prepare_threshold": prepare,
            "connect_timeout": _CONNECT_TIMEOUT_SECONDS,
            "application_name": "booking-core",
        },
    )
    event.listen(engine, "checkout", _refuse_dead_connection)
    return engine


def _without_prepare_threshold(url: URL) -> tuple[URL, int | None]:
    given = url.query.get("prepare_threshold", str(_PREPARE_AFTER))
    text = given if isinstance(given, str) else given[-1]
    prepare = None if text.lower() in ("none", "off", "") else int(text)
    return url.difference_update_query(["prepare_threshold"]), prepare


def _refuse_dead_connection(connection: Any, record: object, proxy: object) -> None:
    """An idle connection with something to read was closed by the server: the pool then opens another.

    This costs no round trip, unlike a ping.
    """
    poll = select.poll()
    poll.register(connection.pgconn.socket, select.POLLIN | select.POLLHUP | select.POLLERR)
    if poll.poll(0):
        raise DisconnectionError()
