"""Messages that nobody can apply, then one that can: it is applied, and they are dead letters with their reasons."""

import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID, uuid4

from attrs import frozen
from kafka.consumer.fetcher import ConsumerRecord

from booking_core.application import get_booking
from booking_core.domain.lifecycle import Status
from tests.integration.kafka.payment_messages import Word, envelope, said, say, word
from tests.integration.kafka.service import Service, message, stop
from tests.support.postgres.stage import until

_KEPT_BYTES: Final = 900_000
_MALFORMED: Final = "MALFORMED_MESSAGE: "


@frozen
class Poison:
    """What is said, and how the reason of its dead letter begins and what is in it."""

    word: Word
    reason: str


def poisons(booking_id: UUID) -> list[Poison]:
    """All kinds, under the key of a booking whose payment comes behind them."""
    key = str(booking_id).encode()

    def changed(changes: Mapping[str, Any] | None = None, **payload: Any) -> Word:
        """The payment of the booking but for this; what is None is left out."""
        right = envelope("payment.success", booking_id, "poisoned")
        right |= {"payload": {name: each for name, each in (right["payload"] | payload).items() if each is not None}}
        return word({name: each for name, each in (right | dict(changes or {})).items() if each is not None}, key)

    nan = changed(amount=float("nan"))
    assert b"NaN" in (nan.value or b"")
    big = changed(note="x" * 1_020_000)
    stranger = uuid4()
    return [
        Poison(Word(key, b'{"eventId": '), f"{_MALFORMED}the message is not JSON: "),
        Poison(Word(key, b"\xff\xfe\x00\x01"), f"{_MALFORMED}the message is not UTF-8: byte 0"),
        Poison(Word(key, b"[]"), f"{_MALFORMED}the message must be an object"),
        Poison(Word(key, b"null"), f"{_MALFORMED}the message must be an object"),
        Poison(Word(key, None), f"{_MALFORMED}the message is not JSON: "),
        Poison(changed({"eventId": None}), f"{_MALFORMED}eventId is missing"),
        Poison(changed(currency=None), f"{_MALFORMED}currency is missing"),
        Poison(changed(amount="75.00"), f"{_MALFORMED}amount must be a number"),
        Poison(nan, f"{_MALFORMED}NaN is not a JSON number"),
        Poison(changed(amount=float("-inf")), f"{_MALFORMED}-Infinity is not a JSON number"),
        Poison(changed(paymentId="pay\x001"), f"{_MALFORMED}paymentId must not hold NUL"),
        Poison(big, f"{_MALFORMED}the message is longer than 1000000 bytes"),
        Poison(changed({"eventType": "payment.reversed"}), f"{_MALFORMED}eventType 'payment.reversed' is unknown"),
        Poison(changed({"version": "2.0"}), f"{_MALFORMED}version '2.0' is not supported"),
        Poison(word(envelope("payment.success", stranger), key), "BOOKING_NOT_FOUND: "),
        Poison(Word(b"\xff\x00 no UUID", b"?"), f"{_MALFORMED}the message is not JSON: "),
        Poison(Word(None, b"no key"), f"{_MALFORMED}the message is not JSON: "),
    ]


def as_rfc3339(milliseconds: int) -> str:
    at = datetime.fromtimestamp(milliseconds // 1000, UTC).replace(microsecond=milliseconds % 1000 * 1000)
    return at.isoformat(timespec="microseconds").replace("+00:00", "Z")


def headers(letter: ConsumerRecord) -> dict[str, str]:
    found = {name: text.decode("ascii") for name, text in letter.headers}
    assert len(found) == len(letter.headers)
    return found


def test_what_is_valid_is_applied_and_the_rest_is_kept(service: Service) -> None:
    booking = service.stage.fixture.reserve(0)
    poisoned = poisons(booking.booking_id)
    none_of_ours = word(envelope("invoice.sent", booking.booking_id) | {"version": "9"}, booking.booking_id)
    words = [each.word for each in poisoned] + [none_of_ours, said("payment.success", booking.booking_id)]

    def is_confirmed() -> bool:
        status = get_booking(booking.user_id, booking.booking_id, store=service.stage.store).status
        return status is Status.CONFIRMED

    with service.running("worker") as worker:
        until(lambda: len(service.events()) == 1, "the worker works")
        places = say(service.servers, service.payments_topic, words, partition=3)
        produced = time.monotonic()
        until(is_confirmed, "the valid payment is applied")
        print(f"applied {time.monotonic() - produced:.2f} s after it was produced behind {len(words) - 1} others")
        until(lambda: len(service.events()) == 2, "that is published")
        stop([worker])

    assert [message(record)["eventType"] for record in service.events()] == ["booking.created", "booking.confirmed"]
    letters = sorted(service.letters(), key=lambda letter: int(headers(letter)["origin_offset"]))
    assert [int(headers(letter)["origin_offset"]) for letter in letters] == [at.offset for at in places[:-2]]
    for poison, place, letter in zip(poisoned, places, letters, strict=False):
        told = headers(letter)
        value = poison.word.value or b""
        assert told["reason"].startswith(poison.reason), told
        assert (told["origin_topic"], told["origin_partition"]) == (service.payments_topic, "3")
        assert told["origin_timestamp"] == as_rfc3339(place.timestamp)
        assert told["dead_lettered_at"] > told["origin_timestamp"]
        assert (letter.key or None) == poison.word.key
        is_kept = letter.value == value[:_KEPT_BYTES]
        assert is_kept, f"{told}: {len(letter.value)} other bytes"  # without showing a megabyte
        assert told.get("truncated") == ("true" if len(value) > _KEPT_BYTES else None)
    assert sum("truncated" in headers(letter) for letter in letters) == 1
