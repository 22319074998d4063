"""What an adapter may offer beside its port: to look at what it talks to, and say what is wrong and what to do.

Optional: whoever has no `diagnose` is tried through its port alone. `booking doctor` asks.
"""

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
