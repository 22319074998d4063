"""One call of publish: which of its messages the brokers have, and which are under way."""

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from kafka.errors import KafkaError

from booking_core.ports import Message

if TYPE_CHECKING:
    from kafka.producer.future import FutureRecordMetadata


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
