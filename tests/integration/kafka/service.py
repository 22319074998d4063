"""Database, topics and commands of one service, and what its topics say."""

import json
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from attrs import evolve, frozen
from kafka.consumer.fetcher import ConsumerRecord

from tests.support.kafka.readers import everything_in
from tests.support.postgres.stage import Stage
from tests.support.processes import running_booking, wait_for_line


@frozen(kw_only=True)
class Service:
    """Its commands run as processes of their own, and are gone when their blocks end."""

    stage: Stage
    servers: str
    events_topic: str
    payments_topic: str
    letters_topic: str
    group: str

    def settings(self) -> dict[str, str]:
        return {
            "BOOKING_EVENT_BUS": "kafka",
            "BOOKING_KAFKA_BOOTSTRAP_SERVERS": self.servers,
            "BOOKING_EVENTS_TOPIC": self.events_topic,
            "BOOKING_PAYMENTS_TOPIC": self.payments_topic,
            "BOOKING_DEAD_LETTER_TOPIC": self.letters_topic,
            "BOOKING_CONSUMER_GROUP": self.group,
        }

    def of_group(self, group: str) -> "Service":
        """The same, but for a consumer group that has read nothing yet."""
        return evolve(self, group=group)

    @contextmanager
    def running(self, command: str) -> Iterator[subprocess.Popen[str]]:
        """`booking COMMAND`, once it has started."""
        with running_booking(self.stage.url, command, **self.settings()) as process:
            wait_for_line(process, f"{command}.started")
            yield process

    def events(self) -> list[ConsumerRecord]:
        """All of the events topic, partition after partition."""
        return everything_in(self.servers, self.events_topic)

    def letters(self) -> list[ConsumerRecord]:
        """All dead letters."""
        return everything_in(self.servers, self.letters_topic)


def stop(processes: Sequence[subprocess.Popen[str]]) -> None:
    """As an operator does it; each must finish what it has in hand and end well."""
    for process in processes:
        process.send_signal(signal.SIGTERM)
    for process in processes:
        _, errors = process.communicate(timeout=60)
        assert process.returncode == 0, errors


def first_appearances(records: Sequence[ConsumerRecord]) -> Mapping[bytes, Sequence[int]]:
    """The numbers of each booking's events, in the order in which they first appear.

    Fails if something that comes again is not, to the last byte, what it was at first.
    """
    seen: dict[tuple[bytes, int], ConsumerRecord] = {}
    ids: set[str] = set()
    for record in records:
        place = (record.key, sequence(record))
        first = seen.setdefault(place, record)
        if first is record:
            event_id = message(record)["eventId"]
            assert event_id not in ids, f"{event_id} has two numbers"
            ids.add(event_id)
        assert (record.value, record.headers) == (first.value, first.headers), f"{place} comes again as something else"
    numbers: dict[bytes, list[int]] = {}
    for key, number in seen:
        numbers.setdefault(key, []).append(number)
    return numbers


def sequence(record: ConsumerRecord) -> int:
    return int(dict(record.headers)["sequence"])


def message(record: ConsumerRecord) -> Any:
    return json.loads(record.value)
