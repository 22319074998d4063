"""What the publisher does with messages whose fate is unknown: the client's futures are real, the broker is played."""

from collections.abc import Callable, Sequence
from typing import Any

import pytest
from kafka.errors import KafkaTimeoutError, MessageSizeTooLargeError, TopicAuthorizationFailedError
from kafka.producer.future import FutureProduceResult, FutureRecordMetadata
from kafka.structs import TopicPartition
from structlog.testing import capture_logs

from booking_core.domain.errors import BusUnavailable, InvalidValue
from booking_core.ports import Message
from booking_kafka.connection import Connection, Limits
from booking_kafka.publishing import TopicPublisher


class PlayedProducer:
    """Every message is a batch of its own. `answer` is asked for each when it is sent; None: nothing is heard."""

    made: list["PlayedProducer"]
    answer: Callable[[bytes], object]

    def __init__(self, **config: Any) -> None:
        self.sent: list[bytes] = []
        self.waiting: list[tuple[bytes, FutureProduceResult]] = []
        self.is_closed = self.is_ending = False
        PlayedProducer.made.append(self)

    def send(self, topic: str, *, key: bytes, value: bytes, headers: list[tuple[str, bytes]]) -> FutureRecordMetadata:
        answer = PlayedProducer.answer(value)
        if isinstance(answer, KafkaTimeoutError):
            raise answer
        batch = FutureProduceResult(TopicPartition(topic, 0))
        if isinstance(answer, MessageSizeTooLargeError):
            return FutureRecordMetadata(batch, -1, None, None, 0, 0, 0).failure(answer)
        future = FutureRecordMetadata(batch, 0, None, None, 0, 0, 0)
        self.sent.append(value)
        if answer is None:
            self.waiting.append((value, batch))
        else:
            settle(batch, answer)
        return future

    def close(self, timeout: float) -> None:
        if self.waiting:
            raise KafkaTimeoutError("Timeout waiting for future")
        self.is_closed = True

    def end_when_delivered(self) -> None:
        self.is_ending = True

    def hear(self, answer: object = True) -> None:
        """The broker is back: everything that waits is answered."""
        while self.waiting:
            settle(self.waiting.pop(0)[1], answer)


def settle(batch: FutureProduceResult, answer: object) -> None:
    refused = answer if isinstance(answer, Exception) else None
    batch.success((0, -1, (lambda _: refused) if refused else None))  # type: ignore[no-untyped-call]


def messages(text: str) -> Sequence[Message]:
    return [Message(key=b"k", value=letter.encode(), headers={"n": letter}) for letter in text]


def sent() -> str:
    return b"".join(value for producer in PlayedProducer.made for value in producer.sent).decode()


@pytest.fixture
def publisher() -> TopicPublisher:
    PlayedProducer.made, PlayedProducer.answer = [], staticmethod(lambda value: True)
    limits = Limits(window=3, acknowledge_seconds=0.01)
    connection = Connection(bootstrap_servers=("nowhere:1",), limits=limits)
    new_producer: Any = PlayedProducer
    return TopicPublisher("topic", connection, new_producer=new_producer, check=lambda connection, topic: None)


def silence(after: str = "") -> None:
    PlayedProducer.answer = staticmethod(lambda value: True if value.decode() in after else None)


def test_all_in_order_through_one_producer(publisher: TopicPublisher) -> None:
    publisher.publish(messages("abcdefgh"))
    publisher.publish(messages("abc"))

    assert sent() == "abcdefghabc"
    assert len(PlayedProducer.made) == 1


def test_no_more_than_a_window_is_under_way(publisher: TopicPublisher) -> None:
    silence(after="abcd")
    with pytest.raises(BusUnavailable, match="2 messages to topic 'topic' were not acknowledged in"):
        publisher.publish(messages("abcdefgh"))

    assert sent() == "abcdef"


def test_nothing_is_sent_while_the_fate_of_the_last_call_is_unknown(publisher: TopicPublisher) -> None:
    silence()
    for _ in range(3):
        with pytest.raises(BusUnavailable):
            publisher.publish(messages("ab"))
    with pytest.raises(BusUnavailable):
        publisher.publish(messages("xyz"))

    assert sent() == "ab"


def test_the_same_call_again_doubles_nothing(publisher: TopicPublisher) -> None:
    silence(after="abcd")
    with pytest.raises(BusUnavailable):
        publisher.publish(messages("abcdefgh"))
    PlayedProducer.made[0].hear()
    silence(after="abcdefghi")
    publisher.publish(messages("abcdefghi"))

    assert sent() == "abcdefghi"


def test_another_call_is_sent_after_what_was_under_way(publisher: TopicPublisher) -> None:
    silence()
    with pytest.raises(BusUnavailable):
        publisher.publish(messages("ab"))
    PlayedProducer.made[0].hear()
    silence(after="axb")
    publisher.publish(messages("axb"))
    publisher.publish(messages("ab"))

    assert sent() == "ab" + "xb" + "ab"  # only what both begin with is not sent again, and only once


def test_equal_values_with_other_headers_are_other_messages(publisher: TopicPublisher) -> None:
    silence()
    with pytest.raises(BusUnavailable):
        publisher.publish(messages("a"))
    PlayedProducer.made[0].hear()
    silence(after="a")
    publisher.publish([Message(key=b"k", value=b"a", headers={"n": "other"})])

    assert sent() == "aa"


def test_a_refused_message_and_those_after_it_are_sent_again_through_a_new_producer(publisher: TopicPublisher) -> None:
    refusal = TopicAuthorizationFailedError("not yours")
    PlayedProducer.answer = staticmethod(lambda value: refusal if value == b"b" else True)
    with pytest.raises(BusUnavailable, match=r"'topic' refused messages: .*TopicAuthorizationFailedError.*not yours"):
        publisher.publish(messages("abcd"))
    assert PlayedProducer.made[0].is_closed
    silence(after="abcd")
    publisher.publish(messages("abcd"))

    assert [b"".join(producer.sent) for producer in PlayedProducer.made] == [b"abc", b"bcd"]


def test_what_was_refused_after_the_call_gave_up_is_sent_again(publisher: TopicPublisher) -> None:
    silence(after="a")
    with pytest.raises(BusUnavailable):
        publisher.publish(messages("abc"))
    PlayedProducer.made[0].hear(TopicAuthorizationFailedError("not yours"))
    silence(after="abc")
    publisher.publish(messages("abc"))

    assert sent() == "abc" + "bc"


def test_an_unknown_topic_is_named_and_nothing_is_lost(publisher: TopicPublisher) -> None:
    PlayedProducer.answer = staticmethod(lambda value: True if value == b"a" else KafkaTimeoutError("5 secs"))
    with pytest.raises(BusUnavailable, match="No broker said in time where topic 'topic' is"):
        publisher.publish(messages("ab"))
    silence(after="ab")
    publisher.publish(messages("ab"))

    assert sent() == "ab"


def test_one_that_is_too_large_stops_those_behind_it(publisher: TopicPublisher) -> None:
    PlayedProducer.answer = staticmethod(lambda value: MessageSizeTooLargeError("2 MB") if value == b"b" else True)
    with pytest.raises(InvalidValue, match="message is too large for topic 'topic'"):
        publisher.publish(messages("abc"))

    assert sent() == "a"


def test_closing_twice_and_publishing_afterwards(publisher: TopicPublisher) -> None:
    publisher.publish(messages("a"))
    publisher.close()
    publisher.close()

    assert PlayedProducer.made[0].is_closed
    with pytest.raises(BusUnavailable, match="closed"):
        publisher.publish(messages("b"))


def test_closing_while_messages_are_under_way_says_how_many(publisher: TopicPublisher) -> None:
    silence()
    with pytest.raises(BusUnavailable):
        publisher.publish(messages("ab"))
    with capture_logs() as logs:
        publisher.close()

    (entry,) = logs
    assert (entry["event"], entry["topic"], entry["under_way"]) == ("kafka.close_timed_out", "topic", 2)
    assert PlayedProducer.made[0].is_ending
