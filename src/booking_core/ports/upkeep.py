"""Upkeep: what operators and background jobs need of a store besides bookings."""

from collections.abc import Sequence
from enum import Enum
from typing import Protocol, runtime_checkable

from attrs import frozen


class HealthKind(Enum):
    """The state of a store: ready, or the reason why it cannot be used. The values are stable."""

    READY = "ready"
    UNREACHABLE = "unreachable"
    FORBIDDEN = "forbidden"
    UNSUITABLE = "unsuitable"
    STARTING = "starting"
    STOPPING = "stopping"
    TOO_MANY_CONNECTIONS = "too_many_connections"
    READ_ONLY = "read_only"
    DISK_FULL = "disk_full"
    OUT_OF_MEMORY = "out_of_memory"
    OUT_OF_RESOURCES = "out_of_resources"
    STORAGE_FAILED = "storage_failed"
    CANCELLED_STATEMENT = "cancelled_statement"
    NO_SCHEMA = "no_schema"
    OLD_SCHEMA = "old_schema"


@frozen(kw_only=True)
class Health:
    """The health of a store. `problem` is one line for an operator, `remedy` what to check or which command to run.

    Both are empty for a store that is ready, and contain no secret. `str` joins them into one line.
    """

    kind: HealthKind = HealthKind.READY
    problem: str = ""
    remedy: str = ""

    @property
    def is_ready(self) -> bool:
        """Whether the store can be used."""
        return self.kind is HealthKind.READY

    def __str__(self) -> str:
        return f"{self.problem}: {self.remedy}" if self.remedy else self.problem


@frozen(kw_only=True)
class Pruned:
    """The number of rows that one call removed: published events, and rows of every other kind."""

    events: int
    rows: int

    @property
    def total(self) -> int:
        """The number of all rows removed."""
        return self.events + self.rows


@frozen(kw_only=True)
class ConnectionUse:
    """Counters of a connection pool since it was created; all but `most` only grow.

    `most`: the size of the pool. `used_seconds`: the time that connections were in use, added up over all of them.
    `waits` and `waited_seconds`: the requests that waited more than 1 ms for a connection, and how long. `refused`: the
    requests that received none.
    """

    most: int
    used_seconds: float
    waits: int
    waited_seconds: float
    refused: int


@runtime_checkable
class WriteCheck(Protocol):
    """Optional interface of a store that can try whether it takes writes. Readiness tests for it with isinstance."""

    def check_writes(self) -> Health:
        """Write what a reservation writes, and undo it. Bounded in time; an expected failure is a result."""
        ...


class Upkeep(Protocol):
    """Schema, retention and health of a store. Safe to use from many threads."""

    def migrate(self) -> Sequence[str]:
        """Bring the schema up to date; returns the names of the steps applied, oldest first.

        Safe to run twice, also concurrently: the second call waits and applies nothing. Empty for a store without a
        schema. Raises ServiceBusy.
        """
        ...

    def prune(self, *, idempotency_hours: float, retention_days: float, limit: int) -> Pruned:
        """Remove up to `limit` rows of each kind: old stored responses, inbox rows, past holds, published events.

        Bookings, their history, events that wait and messages that the inbox retains are never removed. Raises
        ServiceBusy.
        """
        ...

    def health(self) -> Health:
        """Check whether the store can be used. Bounded in time; an expected failure is a result, not an exception."""
        ...

    def connection_use(self) -> ConnectionUse | None:
        """Return the counters of the connection pool without any I/O; None for a store without a pool."""
        ...
