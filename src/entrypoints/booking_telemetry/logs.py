"""Logs: one line per record on standard error, as JSON or for people, from every library, with secrets masked."""

import logging
import sys
import time
from collections.abc import Callable, Collection, MutableMapping
from json import JSONEncoder
from typing import Any, Final

import structlog

from booking_telemetry.masking import SecretMasking

_REPEAT_SECONDS: Final = 60.0
# Clients that retry by themselves, and log each attempt during an outage.
_REPEATING: Final = ("kafka", "opentelemetry", "stamina", "urllib3")
_MAX_STATEMENTS: Final = 1000  # bounds the memory of the filter
_IS_LINE: Final = "booking_is_line"
_AS_LINE: Final = {"extra": {_IS_LINE: True}}
# Made once: `json.dumps` makes an encoder for each call that has a `default`.
_JSON: Final = JSONEncoder(default=str)
_FIRST_KEYS: Final = ("timestamp", "level", "event")
# Libraries that log each request at INFO; they log errors at higher levels.
_CHATTY: Final = ("httpx", "httpx2", "httpcore", "httpcore2", "alembic", "kafka", "urllib3")


class OnceAMinute(logging.Filter):
    """Log filter that passes a statement of a repeating library once a minute, with the number of records suppressed.

    A statement is identified by its line of code, because the text holds ports and counters. Other records always pass.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._clock = clock
        # By statement: when a record last passed, and how many were suppressed since.
        self._passed: dict[tuple[str, int, int], tuple[float, int]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        if record.name.partition(".")[0] not in _REPEATING:
            return True
        statement = record.pathname, record.lineno, record.levelno
        last, suppressed = self._passed.get(statement, (float("-inf"), 0))
        now = self._clock()
        if now - last < _REPEAT_SECONDS:
            self._passed[statement] = last, suppressed + 1
            return False
        if len(self._passed) >= _MAX_STATEMENTS:
            self._passed.clear()
        self._passed[statement] = now, 0
        if suppressed:
            record.msg, record.args = f"{record.getMessage()} (and {suppressed} times more since)", None
        return True


def get_logger(name: str) -> Any:
    """A structlog logger that writes to the `logging` logger of this name.

    A service that uses a part of this library without `configure` thus receives the records in its own logging;
    structlog's default would print them.
    """
    return structlog.wrap_logger(logging.getLogger(name))


def configure(
    level: str = "INFO", form: str = "json", secrets: Collection[str] = (), *, with_clients: bool = True
) -> None:
    """Send every record of structlog, `logging` and `warnings` to standard error; `form` is json or console.

    A record is always one line: line breaks are escaped. `secrets` and everything else that `SecretMasking` knows are
    masked. Without `with_clients`, the records of the clients of brokers, Catalog and collector are dropped, which log
    each attempt. A second call replaces the configuration of the first.
    """
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.processors.format_exc_info,
        structlog.processors.UnicodeDecoder(),
        SecretMasking(secrets),
    ]
    render = _renderer(form)
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        _LineFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, render],
        )
    )
    handler.addFilter(OnceAMinute())
    if not with_clients:
        handler.addFilter(lambda record: record.name.partition(".")[0] not in _REPEATING)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for name in _CHATTY:
        logging.getLogger(name).setLevel(max(logging.WARNING, root.level))
    logging.captureWarnings(True)
    # A failed write (the pipe has no reader any more) must not write a traceback to the same pipe.
    logging.raiseExceptions = False
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            lambda logger, method, event: ((render(logger, method, event),), _AS_LINE),
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )


class _LineFormatter(structlog.stdlib.ProcessorFormatter):
    """Formats the records of libraries. A record of structlog is a line already: its processors have rendered it.

    structlog's own way sends the event through this formatter, which copies the record and takes a third of the time.
    """

    def format(self, record: logging.LogRecord) -> str:
        return str(record.msg) if hasattr(record, _IS_LINE) else super().format(record)


def _renderer(form: str) -> Any:
    if form == "json":
        return lambda logger, method, event: _JSON.encode(_in_order(event))
    colors, plain = sys.stderr.isatty(), structlog.dev.plain_traceback
    return _OneLine(structlog.dev.ConsoleRenderer(colors=colors, exception_formatter=plain), colors)


def _in_order(event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Put time, level and event first, for people who read the lines unprocessed."""
    return {key: event[key] for key in _FIRST_KEYS if key in event} | dict(event)


class _OneLine:
    """Escapes line breaks in the output of the inner renderer, but not the escape sequences of its colours."""

    def __init__(self, inner: Any, colors: bool) -> None:
        self._inner = inner
        self._kept = "\x1b" if colors else ""

    def __call__(self, logger: Any, method: str, event: MutableMapping[str, Any]) -> str:
        line = str(self._inner(logger, method, event))
        return "".join(
            character if character.isprintable() or character == self._kept else _escaped(character)
            for character in line
        )


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")
