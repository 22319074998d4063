"""The stage of a worker process, which its parent sets and the worker reads."""

from enum import IntEnum
from typing import Protocol


class Stage(IntEnum):
    """From the start of a worker to its end, in this order."""

    SERVING = 0
    REPLACED = 1
    """A reload replaces this worker: each response is the last one of its connection."""
    STOPPING = 2
    """The service stops: as REPLACED, and the worker is not ready."""
    ENDING = 3
    """The worker ends as soon as its requests in flight have ended."""


class WorkerStage(Protocol):
    """The stage of one worker in memory that both processes share; a `c_ubyte` is one."""

    value: int
