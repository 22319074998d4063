"""How fast the work goes, and how long somebody at the end of the queue would wait."""

from time import perf_counter
from typing import Final

from attrs import define, field

_WEIGHT: Final = 0.05
# The first requests of a process open connections and fetch keys: they say nothing about those to come.
_FIRST: Final = 50
# A pause of the machine says nothing about the work that comes after it.
_LONGEST_GAP: Final = 0.1


@define(eq=False)
class ServiceRateEstimator:
    """Measured only while there is a queue: how fast idle hands would be is not known."""

    _between: float = field(default=0.0, init=False)
    _last: float | None = field(default=None, init=False)
    _measured: int = field(default=0, init=False)

    def done(self, *, is_crowded: bool) -> None:
        """One more is done; `is_crowded` if others wait."""
        now = perf_counter()
        if self._last is not None:
            self._measured += 1
            self._between += (min(now - self._last, _LONGEST_GAP) - self._between) * _WEIGHT
        self._last = now if is_crowded else None

    def wait_for(self, waiting: int) -> float:
        """Seconds until so many are done, as far as can be said; 0 if nothing is known yet."""
        return waiting * self._between if self._last is not None and self._measured >= _FIRST else 0.0
