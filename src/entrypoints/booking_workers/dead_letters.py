"""Dead letters: messages that can't be parsed or applied, kept whole with the reason, so that they can be replayed."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Final

import structlog

from booking_core.domain.events import rfc3339
from booking_core.ports.event_bus import Delivery, EventBus, Message

_log = structlog.get_logger(__name__)

MOST_BYTES: Final = 900_000
_MOST_KEY_BYTES: Final = 4096
_MOST_REASON: Final = 500
_KEPT_HEADERS: Final = ("origin_topic", "origin_partition", "origin_offset", "origin_timestamp", "truncated")


class DeadLetters:
    """The dead-letter topic. `kept` counts since the start."""

    def __init__(self, bus: EventBus, topic: str) -> None:
        self.kept = 0
        self._bus, self._topic = bus, topic

    def keep(self, failed: Sequence[tuple[Delivery, str, str]]) -> None:
        """Publish these messages as they came, each with a code and a problem as its reason.

        Key and bytes are the original ones; above 900 KB (a key: 4 KB) they are cut, and a header says so. All at
        once, in the order given. Raises BusUnavailable: then some may be there twice, and none is lost.
        """
        self._publish([_letter(each, _reason(code, problem), _origin(each)) for each, code, problem in failed])

    def keep_again(self, failed: Sequence[tuple[Delivery, str, str]]) -> None:
        """Publish these dead letters once more, each with code and problem of today; where they came from stays."""
        self._publish([_letter(each, _reason(code, problem), _origin_kept(each)) for each, code, problem in failed])

    def _publish(self, letters: Sequence[Message]) -> None:
        self._bus.publish(self._topic, letters)
        self.kept += len(letters)
        for letter in letters:
            _log_kept(letter)


def _reason(code: str, problem: str) -> str:
    return _one_line(f"{code}: {problem}".encode())[:_MOST_REASON]


def _letter(delivery: Delivery, reason: str, origin: Mapping[str, str]) -> Message:
    key, value = delivery.key or b"", delivery.value or b""
    headers = {"reason": reason, **origin, "dead_lettered_at": rfc3339(datetime.now(UTC))}
    if len(value) > MOST_BYTES or len(key) > _MOST_KEY_BYTES:
        headers["truncated"] = "true"
    return Message(key=key[:_MOST_KEY_BYTES], value=value[:MOST_BYTES], headers=headers)


def _origin(delivery: Delivery) -> dict[str, str]:
    place = {
        "origin_topic": delivery.topic,
        "origin_partition": str(delivery.partition),
        "origin_offset": str(delivery.offset),
    }
    if delivery.timestamp is not None:
        place["origin_timestamp"] = rfc3339(delivery.timestamp)
    return place


def _origin_kept(letter: Delivery) -> dict[str, str]:
    """What the letter says of its origin; if it says nothing, a stranger has put it there: its own place."""
    said = {name: _one_line(text)[:_MOST_REASON] for name, text in letter.headers if name in _KEPT_HEADERS}
    return said if "origin_topic" in said else _origin(letter) | said


def _one_line(text: bytes) -> str:
    return text.decode("utf-8", "backslashreplace").encode("ascii", "backslashreplace").decode("ascii")


def _log_kept(letter: Message) -> None:
    said = letter.headers
    _log.warning(
        "consumer.dead_letter",
        reason=said["reason"],
        topic=said["origin_topic"],
        partition=said.get("origin_partition"),
        offset=said.get("origin_offset"),
    )
