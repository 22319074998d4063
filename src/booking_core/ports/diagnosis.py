"""Diagnosis: the checks of `booking doctor` that an adapter may offer. No booking needs them."""

from collections.abc import Iterable
from enum import Enum
from typing import Protocol, runtime_checkable

from attrs import field, frozen


class Grade(Enum):
    """The result of a check.

    TROUBLE: something does not work. WARNING: it works, but may fail soon or is not configured as meant. SKIPPED: not
    checked, because an earlier check failed or because the part is not used.
    """

    OK = "ok"
    WARNING = "warning"
    TROUBLE = "trouble"
    SKIPPED = "skipped"


@frozen(kw_only=True)
class Finding:
    """The result of one check. `check` is its short name, the same in each run; `found` is what was observed.

    `advice` is what an operator should do about a TROUBLE or WARNING. Both are one line and contain no secret.
    """

    check: str
    grade: Grade
    found: str
    advice: str = ""


@frozen(kw_only=True)
class Workload:
    """The needs of the service, as configured, from its neighbours.

    `connections`: the number that `serve` and `worker` together open to the database. `published`, `consumed` and
    `dead_letters` are names of topics; `group` is the consumer group.
    """

    connections: int = 1
    published: str = ""
    consumed: str = ""
    dead_letters: str = ""
    group: str = ""

    topics: tuple[str, ...] = field(init=False)
    """The names of all topics, each once."""

    @topics.default
    def _all_topics(self) -> tuple[str, ...]:
        named = (self.published, self.consumed, self.dead_letters)
        return tuple(dict.fromkeys(name for name in named if name))


@runtime_checkable
class Diagnosis(Protocol):
    """Optional interface of an adapter that can check its service. `booking doctor` tests for it with isinstance."""

    def diagnose(self, workload: Workload) -> Iterable[Finding]:
        """Run the checks, change nothing, and yield each finding as soon as it is known.

        Bounded in time: each finding follows the one before within a few seconds; the caller gives up a later
        one. What is unreachable is a TROUBLE; what cannot be checked because of that is SKIPPED. Expected failures are
        findings, not exceptions; an exception ends the findings of this adapter only.
        """
        ...
