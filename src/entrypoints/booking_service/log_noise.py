"""What a library says again and again: once, and then once a minute at most."""

import logging
import time
from collections.abc import Callable
from typing import Final

_EVERY_SECONDS: Final = 60.0
# Their clients try again on their own, and say so at each try for as long as whatever they talk to is away.
_REPEATING: Final = ("kafka", "opentelemetry", "stamina", "urllib3")
_MOST_PLACES: Final = 1000


class OnceAMinute(logging.Filter):
    """Lets a statement of such a library through that was not heard for a minute, with how often it was since.

    Told apart by the line of code that speaks, not by its words: those name ports and counters. Everything else passes.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._clock = clock
        self._heard: dict[tuple[str, int, int], tuple[float, int]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        if record.name.partition(".")[0] not in _REPEATING:
            return True
        place = record.pathname, record.lineno, record.levelno
        last, suppressed = self._heard.get(place, (float("-inf"), 0))
        now = self._clock()
        if now - last < _EVERY_SECONDS:
            self._heard[place] = last, suppressed + 1
            return False
        if len(self._heard) >= _MOST_PLACES:
            self._heard.clear()
        self._heard[place] = now, 0
        if suppressed:
            record.msg, record.args = f"{record.getMessage()} (and {suppressed} times more since)", None
        return True
