"""Dead letters: messages that cannot be parsed or applied, stored whole with the reason until they are replayed."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Final

from booking_core.application.system_runtime import SYSTEM_RUNTIME
from booking_core.messages.envelopes import rfc3339
from booking_core.ports.event_bus import Delivery, EventBus, Message
from booking_core.ports.runtime import Runtime
from booking_telemetry.logs import get_logger

_log = get_logger(__name__)

# Below the broker's usual limit of 1 MB a message, headers included.
MAX_VALUE_BYTES: Final = 900_000
_MAX_KEY_BYTES: Final = 4096
_MAX_REASON_LENGTH: Final = 500
_PRESERVED_HEADERS: Final = ("origin_topic", "origin_partition", "origin_offset", "origin_timestamp", "truncated")

Failed = tuple[Delivery, str, str]
"""A message that failed, with the code and the problem."""


class DeadLetters:
    """The dead-letter topic. `kept` counts since the start."""

    def __init__(self, bus: EventBus, topic: str, *, runtime: Runtime = SYSTEM_RUNTIME) -> None:
        self.kept = 0
        self._bus, self._topic, self._runtime = bus, topic, runtime

    def keep(self, failed: Sequence[Failed]) -> None:
        """Publish failed messages as dead letters, with their original keys and bytes.

        A value above 900 KB and a key above 4 KB are cut, and the header `truncated` marks that. All are published at
        once, in the order given. Raises BusUnavailable: then some may be stored twice, and none is lost.
        """
        self._publish(failed, _origin)

    def keep_again(self, failed: Sequence[Failed]) -> None:
        """Publish dead letters that failed again, with today's code and problem; their recorded origin is kept."""
        self._publish(failed, _recorded_origin)

    def move(self, letters: Sequence[Delivery]) -> None:
        """Publish dead letters behind the others as they are; reason, origin and time stay."""
        self._bus.publish(
            self._topic,
            [
                Message(
                    key=letter.key or b"",
                    value=letter.value or b"",
                    headers={name: _one_line(text) for name, text in letter.headers},
                )
                for letter in letters
            ],
        )

    def _publish(self, failed: Sequence[Failed], origin_of: Callable[[Delivery], Mapping[str, str]]) -> None:
        now = self._runtime.utc_now()
        messages = [_dead_letter(each, _reason(code, problem), origin_of(each), now) for each, code, problem in failed]
        self._bus.publish(self._topic, messages)
        self.kept += len(messages)
        for message in messages:
            _log_kept(message.headers)


def letter_id(letter: Delivery) -> str:
    """The id of a dead letter, TOPIC:PARTITION:OFFSET of its origin: it stays when the letter is stored again."""
    origin = _recorded_origin(letter)
    return ":".join([origin["origin_topic"], origin.get("origin_partition", ""), origin.get("origin_offset", "")])


def _reason(code: str, problem: str) -> str:
    return _one_line(f"{code}: {problem}".encode())[:_MAX_REASON_LENGTH]


def _dead_letter(delivery: Delivery, reason: str, origin: Mapping[str, str], now: datetime) -> Message:
    key, value = delivery.key or b"", delivery.value or b""
    headers = {"reason": reason, **origin, "dead_lettered_at": rfc3339(now)}
    if len(value) > MAX_VALUE_BYTES or len(key) > _MAX_KEY_BYTES:
        headers["truncated"] = "true"
    return Message(key=key[:_MAX_KEY_BYTES], value=value[:MAX_VALUE_BYTES], headers=headers)


def _origin(delivery: Delivery) -> dict[str, str]:
    origin = {
        "origin_topic": delivery.topic,
        "origin_partition": str(delivery.partition),
        "origin_offset": str(delivery.offset),
    }
    if delivery.timestamp is not None:
        origin["origin_timestamp"] = rfc3339(delivery.timestamp)
    return origin


def _recorded_origin(delivery: Delivery) -> dict[str, str]:
    """The origin in the headers; without one another program wrote the dead letter, and its own place is the origin."""
    recorded = {
        name: _one_line(text)[:_MAX_REASON_LENGTH] for name, text in delivery.headers if name in _PRESERVED_HEADERS
    }
    return recorded if "origin_topic" in recorded else _origin(delivery) | recorded


def _one_line(text: bytes) -> str:
    return text.decode("utf-8", "backslashreplace").encode("ascii", "backslashreplace").decode("ascii")


def _log_kept(headers: Mapping[str, str]) -> None:
    _log.warning(
        "consumer.dead_letter",
        reason=headers["reason"],
        topic=headers["origin_topic"],
        partition=headers.get("origin_partition"),
        offset=headers.get("origin_offset"),
    )
