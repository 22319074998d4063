"""What an adapter may tell of itself to those who watch it. None of it is needed to book a seat."""

from collections.abc import Iterable
from enum import Enum
from typing import Protocol, runtime_checkable

from attrs import field, frozen


class Grade(Enum):
    """How it stands. TROUBLE: something does not work; WARNING: it works, and may not for long, or not as meant;
    SKIPPED: not looked at, because of a trouble before or because it is not used."""

    OK = "ok"
    WARNING = "warning"
    TROUBLE = "trouble"
    SKIPPED = "skipped"


@frozen(kw_only=True)
class Finding:
    """One thing that was looked at. `check` is its short name, the same at each call, and `found` what was seen.

    `advice` is what an operator should do, for each TROUBLE and WARNING. Both are one line and hold no secret.
    """

    check: str
    grade: Grade
    found: str
    advice: str = ""


@frozen(kw_only=True)
class Workload:
    """What the service asks of its neighbours, when it runs as configured.

    `connections`: how many `serve` and `worker` open to the database together. `published`, `consumed` and
    `dead_letters` are names of topics; `group` is the consumers' group.
    """

    connections: int = 1
    published: str = ""
    consumed: str = ""
    dead_letters: str = ""
    group: str = ""

    topics: tuple[str, ...] = field(init=False)
    """All topics, each once."""

    @topics.default
    def _all_topics(self) -> tuple[str, ...]:
        named = (self.published, self.consumed, self.dead_letters)
        return tuple(dict.fromkeys(name for name in named if name))


@runtime_checkable
class Diagnosis(Protocol):
    """An adapter that can tell how what it talks to is doing."""

    def diagnose(self, workload: Workload) -> Iterable[Finding]:
        """Look, changing nothing; each finding as soon as it is there, best by a generator.

        Bounded in time: each finding comes within a few seconds of the one before, or is given up by who asks. What is
        out of reach is a TROUBLE among the findings, what can't be looked at because of that is SKIPPED. Nothing that
        is expected is raised; what is raised all the same ends this adapter's findings, and no other's.
        """
        ...


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
