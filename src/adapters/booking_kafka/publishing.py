"""Publishing to one topic: in order, acknowledged, and with a bounded number of messages in flight."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from threading import Lock
from typing import TYPE_CHECKING

import structlog
from kafka import KafkaProducer
from kafka.errors import KafkaError, KafkaTimeoutError, MessageSizeTooLargeError

from booking_core.domain.errors import BusUnavailable, InvalidValue
from booking_core.ports import Message
from booking_kafka.connection import PRODUCER, Connection, described, translated_errors
from booking_kafka.topics import check_topic

if TYPE_CHECKING:
    from kafka.producer.future import FutureRecordMetadata

_log = structlog.get_logger("booking_kafka")


class Producer(KafkaProducer):
    """The client's producer, whose end is bounded in time."""

    def end_when_delivered(self) -> None:
        """End the thread when every message in flight has been acknowledged or has expired.

        After a timeout `close` leaves the thread running; cutting it off is broken in kafka-python 2.3.3.
        """
        self._sender.initiate_close()  # type: ignore[attr-defined]

    def __del__(self) -> None:
        """Do nothing: `close` has a timeout of its own, and a garbage collection must not wait for brokers."""


class Attempt:
    """One call's messages in order: the topic has stored the first `stored` of them; later ones may be in flight.

    A message in flight cannot be recalled, and during an outage it is unknown whether it will be stored.
    """

    def __init__(self, messages: Sequence[Message]) -> None:
        self._messages = tuple(messages)
        self._in_flight: list[FutureRecordMetadata] = []
        self.stored = 0
        self.rejection: BaseException | None = None

    @property
    def is_complete(self) -> bool:
        """Whether the topic has stored all messages."""
        return self.stored == len(self._messages)

    @property
    def in_flight(self) -> int:
        """The number of messages that the client has and whose outcome is unknown."""
        return sum(not future.is_done for future in self._in_flight)

    def next_messages(self, number: int) -> Sequence[Message]:
        """Return the messages after the stored ones; called while none is in flight."""
        return self._messages[self.stored : self.stored + number]

    def sent(self, future: "FutureRecordMetadata") -> None:
        """Record that the client has accepted the next message."""
        self._in_flight.append(future)

    def settle(self, seconds: float) -> bool:
        """Wait for the outcome of all messages in flight; False if one is still unknown after so long.

        Afterwards `rejection` is the error of the first message that was not stored, if there is one.
        """
        deadline = time.monotonic() + seconds
        for future in self._in_flight:
            if not future.is_done and not _done(future, deadline):
                return False
        for future in self._in_flight:
            if future.failed():
                self.rejection = future.exception
                break
            self.stored += 1
        self._in_flight = []
        return True

    def stored_of(self, messages: Sequence[Message]) -> int:
        """Return how many of the first messages equal those that this attempt has stored."""
        number = 0
        for mine, theirs in zip(self._messages[: self.stored], messages, strict=False):
            if mine != theirs:
                break
            number += 1
        return number


class TopicPublisher:
    """A publisher to one topic, for one thread at a time. Safe to use from many threads.

    A call that raises BusUnavailable may leave messages in flight, which the client delivers when the brokers are back.
    So the next call first waits for their outcome, and sends nothing meanwhile. Then it skips its first messages as far
    as they equal those that were stored: a relay that retries the same rows doubles none of them. Order per key holds,
    because every message is sent after the earlier ones. If the brokers reject a message for good, later messages of
    its window are stored before it, those of its key, too.
    """

    def __init__(
        self,
        topic: str,
        connection: Connection,
        *,
        new_producer: Callable[..., Producer] = Producer,
        check: Callable[[Connection, str], None] = check_topic,
    ) -> None:
        self._topic, self._connection, self._limits = topic, connection, connection.limits
        self._new_producer, self._check = new_producer, check
        self._lock = Lock()
        self._is_open = True
        self._producer: Producer | None = None
        self._unfinished: Attempt | None = None

    def publish(self, messages: Sequence[Message]) -> None:
        """Return when the topic has stored all messages. Raises BusUnavailable; InvalidValue if one is too large."""
        with self._locked(self._limits.lock_seconds):
            if not self._is_open:
                raise BusUnavailable("The bus is closed")
            attempt = Attempt(messages)
            if self._unfinished is not None:
                self._settle(self._unfinished)
                attempt.stored = self._unfinished.stored_of(messages)
            self._unfinished = attempt
            while not attempt.is_complete:
                self._send_window(attempt)
                self._settle(attempt)
                self._check_rejection(attempt)
            self._unfinished = None

    def close(self) -> None:
        """Wait some seconds for messages in flight, and close the client. May be called twice; raises nothing."""
        self._is_open = False
        try:
            with self._locked(self._limits.acknowledge_seconds):
                self._close_producer()
        except BusUnavailable as error:
            _log.warning("kafka.close_timed_out", topic=self._topic, error=str(error))

    @contextmanager
    def _locked(self, seconds: float) -> Iterator[None]:
        if not self._lock.acquire(timeout=seconds):
            raise BusUnavailable(f"Others are publishing to topic {self._topic!r} since {seconds:.0f} s")
        try:
            yield
        finally:
            self._lock.release()

    def _send_window(self, attempt: Attempt) -> None:
        """Pass the next window to the client, up to the first message that the client does not accept."""
        producer = self._open_producer()
        for message in attempt.next_messages(self._limits.window):
            headers = [(name, text.encode()) for name, text in message.headers.items()]
            try:
                future = producer.send(self._topic, key=message.key, value=message.value, headers=headers)
            except KafkaTimeoutError as error:
                self._check(self._connection, self._topic)
                raise BusUnavailable(f"No broker said in time where topic {self._topic!r} is") from error
            except KafkaError as error:
                raise BusUnavailable(f"Publishing to topic {self._topic!r}: {described(error)}") from error
            if _is_rejected_by_client(future):
                if isinstance(future.exception, MessageSizeTooLargeError):
                    raise InvalidValue("message", f"is too large for topic {self._topic!r}: {future.exception}")
                raise BusUnavailable(f"Publishing to topic {self._topic!r}: {described(future.exception)}")
            attempt.sent(future)

    def _settle(self, attempt: Attempt) -> None:
        seconds = self._limits.acknowledge_seconds
        if not attempt.settle(seconds):
            number = attempt.in_flight
            raise BusUnavailable(f"{number} messages to topic {self._topic!r} were not acknowledged in {seconds:.0f} s")

    def _check_rejection(self, attempt: Attempt) -> None:
        if attempt.rejection is not None:
            # After some rejections a client never sends again. No message is in flight, so a new client is safe.
            self._close_producer()
            raise BusUnavailable(f"Topic {self._topic!r} refused messages: {described(attempt.rejection)}")

    def _open_producer(self) -> Producer:
        if self._producer is None:
            # First: a producer that has never connected cannot be closed.
            self._check(self._connection, self._topic)
            with translated_errors("Starting the producer"):
                self._producer = self._new_producer(**self._connection.client_config(), **PRODUCER)
        return self._producer

    def _close_producer(self) -> None:
        producer, self._producer = self._producer, None
        if producer is None:
            return
        try:
            producer.close(timeout=self._limits.close_seconds)
        except KafkaError as error:
            producer.end_when_delivered()
            in_flight = self._unfinished.in_flight if self._unfinished is not None else 0
            _log.warning("kafka.close_timed_out", topic=self._topic, under_way=in_flight, error=described(error))


def _done(future: "FutureRecordMetadata", deadline: float) -> bool:
    try:
        future.get(timeout=max(0.0, deadline - time.monotonic()))  # type: ignore[no-untyped-call]
    except KafkaError:
        # The client raises the same error for "not yet" and for "failed".
        return future.is_done
    return True


def _is_rejected_by_client(future: "FutureRecordMetadata") -> bool:
    """Whether the client itself rejected the message: then it has no place in a batch."""
    return future.failed() and future.args[0] == -1
