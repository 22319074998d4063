"""Logs: one line per record on standard error, as JSON or for people; whoever writes them, and never with a secret."""

import logging
import re
import sys
import time
from collections.abc import Callable, Collection, Mapping, MutableMapping
from typing import Any, Final

import structlog

from booking_telemetry.masking import masked_url

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


_SECRET_KEYS: Final = frozenset(
    "authorization proxy-authorization cookie set-cookie password sasl_password secret client_secret token access_token"
    " refresh_token jwt api_key x-api-key".split()
)
_MASK: Final = "***"
# What lets somebody in wherever it is met: a signed token, and whatever follows the word Bearer.
_TOKEN: Final = re.compile(r"eyJ[\w-]{4,}\.[\w-]+\.[\w-]*|(?<=bearer )\s*[^\s,;\"']+", re.ASCII | re.IGNORECASE)
# Shorter texts are no secret, and masking them would garble everything else.
_SHORTEST_SECRET: Final = 4
_FIRST: Final = ("timestamp", "level", "event")
# Libraries that tell each request at INFO; what goes wrong they say louder.
_CHATTY: Final = ("httpx", "httpx2", "httpcore", "httpcore2", "alembic", "kafka", "urllib3")


def configure(level: str = "INFO", form: str = "json", secrets: Collection[str] = ()) -> None:
    """Send every record of structlog, `logging` and `warnings` to standard error, `form` being json or console.

    A record is one line whatever is in it: line breaks are escaped. `secrets`, passwords in URLs and values under names
    like `authorization` are masked, and so are tokens wherever they are met. Calling it again replaces what was
    configured before.
    """
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.processors.format_exc_info,
        structlog.processors.UnicodeDecoder(),
        _Masking(secrets),
    ]
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, _renderer(form)],
        )
    )
    handler.addFilter(OnceAMinute())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for name in _CHATTY:
        logging.getLogger(name).setLevel(max(logging.WARNING, root.level))
    logging.captureWarnings(True)
    # A log that can't be written (nobody reads the pipe any more) must not become tracebacks on the same pipe.
    logging.raiseExceptions = False
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )


def _renderer(form: str) -> Any:
    if form == "json":
        render = structlog.processors.JSONRenderer(sort_keys=False, default=str)
        return lambda logger, method, event: render(logger, method, _in_order(event))
    colors, plain = sys.stderr.isatty(), structlog.dev.plain_traceback
    return _OneLine(structlog.dev.ConsoleRenderer(colors=colors, exception_formatter=plain), colors)


def _in_order(event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """When, how bad, and what stand first, for those who read the lines as they come."""
    return {key: event[key] for key in _FIRST if key in event} | dict(event)


class _OneLine:
    """Escapes what would break the line of the inner renderer; escape sequences are its colours, where it has any."""

    def __init__(self, inner: Any, colors: bool) -> None:
        self._inner = inner
        self._kept = "\x1b" if colors else ""

    def __call__(self, logger: Any, method: str, event: MutableMapping[str, Any]) -> str:
        line = str(self._inner(logger, method, event))
        return "".join(letter if letter.isprintable() or letter == self._kept else _escaped(letter) for letter in line)


def _escaped(letter: str) -> str:
    return letter.encode("unicode_escape").decode("ascii")


class _Masking:
    """A processor that takes secrets out of every value, however deep."""

    def __init__(self, secrets: Collection[str]) -> None:
        # The longest first: one secret may be part of another.
        self._secrets = sorted({text for text in secrets if len(text) >= _SHORTEST_SECRET}, key=len, reverse=True)

    def __call__(self, logger: Any, method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        for key, value in event.items():
            if not key.startswith("_"):
                event[key] = _MASK if key.lower() in _SECRET_KEYS else self._masked(value)
        return event

    def _masked(self, value: Any) -> Any:
        if value is None or isinstance(value, bool | int | float):
            return value
        if isinstance(value, Mapping):
            return {
                key: _MASK if str(key).lower() in _SECRET_KEYS else self._masked(inner) for key, inner in value.items()
            }
        if isinstance(value, list | tuple | set | frozenset):
            return [self._masked(inner) for inner in value]
        # An escape sequence in somebody's text must not reach the operator's terminal.
        text = str(value).replace("\x1b", "\\x1b")
        for secret in self._secrets:
            text = text.replace(secret, _MASK)
        if "eyJ" in text or "earer" in text or "EARER" in text:
            text = _TOKEN.sub(_MASK, text)
        return masked_url(text) if "://" in text else text
