"""How the pool of connections is used: counted where SQLAlchemy lends a connection and takes it back."""

from threading import Lock
from time import perf_counter
from typing import Any, Final

from sqlalchemy import Engine, QueuePool, event
from sqlalchemy.pool import PoolProxiedConnection

from booking_core.ports.upkeep import ConnectionUse

# Taking a free connection costs a hundredth of it; whatever takes longer has waited, for another or for a new one.
_WAIT_SECONDS: Final = 0.001
_SINCE: Final = "booking.lent_since"


class PoolWatch:
    """Counts from its making on. Safe to use from many threads."""

    def __init__(self, engine: Engine) -> None:
        pool = engine.pool
        self._most = pool.size() if isinstance(pool, QueuePool) else 0
        self._lock = Lock()
        self._used = self._waited = 0.0
        self._waits = self._refused = 0
        self._lend = pool.connect
        # SQLAlchemy has no event for the moment in which somebody begins to want a connection.
        pool.connect = self._connect  # type: ignore[method-assign]
        event.listen(engine, "checkin", self._taken_back)

    def use(self) -> ConnectionUse:
        """The figures until now; a connection that is still lent counts when it comes back."""
        with self._lock:
            return ConnectionUse(
                most=self._most,
                used_seconds=self._used,
                waits=self._waits,
                waited_seconds=self._waited,
                refused=self._refused,
            )

    def _connect(self) -> PoolProxiedConnection:
        began = perf_counter()
        try:
            lent = self._lend()
        except BaseException:
            self._wait_ended(perf_counter() - began, refused=1)
            raise
        now = perf_counter()
        if now - began > _WAIT_SECONDS:
            self._wait_ended(now - began)
        # Kept with the pool's record of it, which outlives a connection that is thrown away meanwhile.
        lent.record_info[_SINCE] = now  # type: ignore[index]
        return lent

    def _wait_ended(self, seconds: float, refused: int = 0) -> None:
        with self._lock:
            self._waits += 1
            self._waited += seconds
            self._refused += refused

    def _taken_back(self, connection: object, record: Any) -> None:
        since = record.record_info.pop(_SINCE, None)
        if since is not None:
            seconds = perf_counter() - since
            with self._lock:
                self._used += seconds
