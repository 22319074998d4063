"""Publishing to one topic: in order, all acknowledged, and never more than a window under way."""

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from kafka.errors import KafkaError

from booking_core.ports import Message

if TYPE_CHECKING:
    from kafka.producer.future import FutureRecordMetadata
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock
from typing import TYPE_CHECKING

import structlog
from kafka import KafkaProducer
from kafka.errors import KafkaTimeoutError, MessageSizeTooLargeError

from booking_core.domain.errors import BusUnavailable, InvalidValue
from booking_kafka.broker_check import look
from booking_kafka.connection import CLOSE_SECONDS, PATIENCE_SECONDS, PRODUCER, TURN_SECONDS, WINDOW, Connection
from booking_kafka.errors import described, translated


class Attempt:
    """The messages in order: the first `taken` of them are in the topic, those after them may be under way.

    What is under way can't be called back, and while brokers are away neither its success nor its failure is known.
    """

    def __init__(self, messages: Sequence[Message]) -> None:
        self._messages = tuple(messages)
        self._under_way: list[FutureRecordMetadata] = []
        self.taken = 0
        self.refusal: BaseException | None = None

    @property
    def is_complete(self) -> bool:
        """Whether the topic has all of it."""
        return self.taken == len(self._messages)

    @property
    def under_way(self) -> int:
        """How many messages the client holds whose fate is not known."""
        return sum(not future.is_done for future in self._under_way)

    def next_messages(self, number: int) -> Sequence[Message]:
        """The first messages after those taken; nothing is under way then."""
        return self._messages[self.taken : self.taken + number]

    def sent(self, future: "FutureRecordMetadata") -> None:
        """The client has taken the next message."""
        self._under_way.append(future)

    def settle(self, seconds: float) -> bool:
        """Wait until the fate of all that is under way is known; False if it is not within so long.

        Afterwards `refusal` is why the first message after those taken was refused, if one was.
        """
        deadline = time.monotonic() + seconds
        for future in self._under_way:
            if not future.is_done and not _done(future, deadline):
                return False
        for future in self._under_way:
            if future.failed():
                self.refusal = future.exception
                break
            self.taken += 1
        self._under_way = []
        return True

    def taken_of(self, messages: Sequence[Message]) -> int:
        """How many of the first messages are the same as those taken here."""
        number = 0
        for mine, theirs in zip(self._messages[: self.taken], messages, strict=False):
            if mine != theirs:
                break
            number += 1
        return number


def _done(future: "FutureRecordMetadata", deadline: float) -> bool:
    try:
        future.get(timeout=max(0.0, deadline - time.monotonic()))  # type: ignore[no-untyped-call]
    except KafkaError:
        # The same error says "not yet" and "refused".
        return future.is_done
    return True


_log = structlog.get_logger("booking_kafka")


class TopicPublisher:
    """Publishes to one topic. Safe to use from many threads, which take turns.

    A call that raises BusUnavailable may leave messages under way, which nothing can call back: the client delivers
    them when the brokers are there again. So the next call first waits for their fate, and sends nothing meanwhile.
    Once it is known, the messages that the new call begins with and that were taken are not sent again: a relay that
    tries the same rows again doubles none of them, and order per key holds, because whatever is sent is sent after
    them. A message that the brokers refuse for good lets the others of its window, of its key too, go first.
    """

    def __init__(self, topic: str, connection: Connection) -> None:
        self._topic, self._connection = topic, connection
        self._turn = Lock()
        self._is_open = True
        self._producer: _Producer | None = None
        self._interrupted: Attempt | None = None

    def publish(self, messages: Sequence[Message]) -> None:
        """Returns when the topic has all of them. Raises BusUnavailable, InvalidValue for one that is too large."""
        with self._my_turn(TURN_SECONDS):
            if not self._is_open:
                raise BusUnavailable("The bus is closed")
            attempt = Attempt(messages)
            if self._interrupted is not None:
                self._settle(self._interrupted)
                attempt.taken = self._interrupted.taken_of(messages)
            self._interrupted = attempt
            while not attempt.is_complete:
                self._send(attempt)
                self._settle(attempt)
                self._refuse_if_refused(attempt)
            self._interrupted = None

    def close(self) -> None:
        """Wait some seconds for what is under way, and let go of the client. May be called twice; raises nothing."""
        self._is_open = False
        try:
            with self._my_turn(PATIENCE_SECONDS):
                self._end_producer()
        except BusUnavailable as error:
            _log.warning("kafka.close_timed_out", topic=self._topic, error=str(error))

    @contextmanager
    def _my_turn(self, seconds: float) -> Iterator[None]:
        if not self._turn.acquire(timeout=seconds):
            raise BusUnavailable(f"Others are publishing to topic {self._topic!r} since {seconds:.0f} s")
        try:
            yield
        finally:
            self._turn.release()

    def _send(self, attempt: Attempt) -> None:
        """Give the client the next window; it stops at a message that the client does not take."""
        producer = self._living_producer()
        for message in attempt.next_messages(WINDOW):
            headers = [(name, text.encode()) for name, text in message.headers.items()]
            try:
                future = producer.send(self._topic, key=message.key, value=message.value, headers=headers)
            except KafkaTimeoutError as error:
                look(self._connection, self._topic)
                raise BusUnavailable(f"No broker said in time where topic {self._topic!r} is") from error
            except KafkaError as error:
                raise BusUnavailable(f"Publishing to topic {self._topic!r}: {described(error)}") from error
            if _never_left(future):
                if isinstance(future.exception, MessageSizeTooLargeError):
                    raise InvalidValue("message", f"is too large for topic {self._topic!r}: {future.exception}")
                raise BusUnavailable(f"Publishing to topic {self._topic!r}: {described(future.exception)}")
            attempt.sent(future)

    def _settle(self, attempt: Attempt) -> None:
        if not attempt.settle(PATIENCE_SECONDS):
            number, seconds = attempt.under_way, f"{PATIENCE_SECONDS:.0f} s"
            raise BusUnavailable(f"{number} messages to topic {self._topic!r} were not acknowledged in {seconds}")

    def _refuse_if_refused(self, attempt: Attempt) -> None:
        if attempt.refusal is not None:
            # Some refusals leave the client unable to send ever again. Nothing is under way: another is safe.
            self._end_producer()
            raise BusUnavailable(f"Topic {self._topic!r} refused messages: {described(attempt.refusal)}")

    def _living_producer(self) -> "_Producer":
        if self._producer is None:
            # Before its thread is there: one that was never let in can't be ended.
            look(self._connection, self._topic)
            with translated("Starting the producer"):
                self._producer = _Producer(**self._connection.client_config(), **PRODUCER)
        return self._producer

    def _end_producer(self) -> None:
        producer, self._producer = self._producer, None
        if producer is None:
            return
        try:
            producer.close(timeout=CLOSE_SECONDS)
        except KafkaError as error:
            producer.end_when_delivered()
            under_way = self._interrupted.under_way if self._interrupted is not None else 0
            _log.warning("kafka.close_timed_out", topic=self._topic, under_way=under_way, error=described(error))


def _never_left(future: "FutureRecordMetadata") -> bool:
    """Whether the client refused the message itself: then it has no place in a batch."""
    return future.failed() and future.args[0] == -1


class _Producer(KafkaProducer):
    def end_when_delivered(self) -> None:
        """End the thread once each message under way is acknowledged or has expired.

        `close` leaves the thread running for ever after a wait in vain; cutting it off is broken in kafka-python 2.3.3.
        """
        self._sender.initiate_close()  # type: ignore[attr-defined]

    def __del__(self) -> None:
        """Nothing: `close` has a time limit of its own, and collecting garbage must not wait for brokers."""
