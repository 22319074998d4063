"""What an adapter may tell of itself to those who watch it. None of it is needed to book a seat."""

from typing import Protocol, runtime_checkable

from attrs import frozen


@frozen(kw_only=True)
class ConnectionUse:
    """How a store has used its connections since it was made.

    `most`: how many it may open. `used_seconds`: how long connections were lent out, all added up. `waits`: how often
    somebody waited for one for more than a millisecond (to be free, or to be opened), `waited_seconds`: how long in
    all. `refused`: how often there was none in the end.
    """

    most: int
    used_seconds: float
    waits: int
    waited_seconds: float
    refused: int


@runtime_checkable
class LendsConnections(Protocol):
    """A store over a pool of connections."""

    def connection_use(self) -> ConnectionUse:
        """The figures until now; none of them ever falls. From any thread, at any time; asks nobody."""
        ...


@runtime_checkable
class HasBreaker(Protocol):
    """A catalog behind a circuit breaker."""

    @property
    def breaker_state(self) -> str:
        """`closed`, `open` or `half-open`. From any thread, at any time; asks nobody."""
        ...
