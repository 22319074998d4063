"""Four relays as processes over a long queue, two of them frozen in the middle of their work, and thawed (ADR 0012)."""

import random
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Final, Self

import pytest
from attrs import define, frozen

from tests.integration.kafka.service import Service, first_appearances, stop
from tests.support.postgres.stage import Stage, until

_RELAYS: Final = 4
# Event n of every booking is recorded before event n + 1 of any: so each batch cuts through the queue.
_QUEUE: Final = """
    INSERT INTO booking.outbox (slot, key, sequence, message_id, event_type, correlation_id, recorded_at, body)
    SELECT booking %% 4096, md5('booking ' || booking)::uuid, number, id, 'booking.created', 'corr',
        clock_timestamp() + make_interval(secs => number * 0.001), json_build_object('eventId', id, 'number', number)
    FROM generate_series(1, %(bookings)s::int) AS booking, generate_series(%(first)s::int, %(last)s::int) AS number,
        LATERAL (SELECT md5(booking || '/' || number)::uuid AS id) AS made
"""
_SESSIONS: Final = """
    SELECT array_agg(pid) FROM pg_stat_activity
    WHERE datname = current_database() AND application_name = 'booking-core' AND pid <> ALL(%s::int[])
"""
# What its last statement was, in the middle of the queue: the process was stopped before it sent the next one.
_LAST_WAS: Final = """
    SELECT state = 'idle' AND query LIKE %(words)s AND query_start > %(since)s
    FROM pg_stat_activity WHERE pid = %(session)s
"""
_HAS_READ: Final = "%published_at IS NULL ORDER BY%"
_HAS_MARKED: Final = "%UPDATE booking.outbox%"


@frozen
class Relay:
    """A process, and its session in the database."""

    process: subprocess.Popen[str]
    session: int

    @classmethod
    @contextmanager
    def running(cls, service: Service) -> Iterator[Self]:
        stage = service.stage
        known = stage.ask(_SESSIONS, [[]]) or []
        with service.running("relay") as process:
            until(lambda: stage.ask(_SESSIONS, [known]) is not None, "the relay looks for work")
            [session] = stage.ask(_SESSIONS, [known])
            yield cls(process, session)


@frozen(kw_only=True)
class Size:
    """Of each booking `events` are queued at once; two relays are frozen for `seconds`."""

    bookings: int
    events: int
    seconds: float


@define
class Queue:
    """What waits to be published: of each booking the events up to `last`."""

    stage: Stage
    bookings: int
    last: int = 0

    def add(self, events: int) -> None:
        """So many more of every booking, all in one transaction."""
        numbers = {"bookings": self.bookings, "first": self.last + 1, "last": self.last + events}
        self.last += events
        self.stage.door.execute(_QUEUE, numbers)

    def left(self) -> int:
        return int(self.stage.ask("SELECT count(*) FROM booking.outbox WHERE published_at IS NULL"))


def freeze(relay: Relay, queue: Queue, words: str) -> None:
    """Stop the process at a moment when that was its last statement. Tries many moments until one is right."""
    chance, since = random.Random(0), queue.stage.ask("SELECT clock_timestamp()")

    def it_is_the_moment() -> bool:
        nonlocal since
        time.sleep(chance.uniform(0, 0.02))
        relay.process.send_signal(signal.SIGSTOP)
        was = queue.stage.ask(_LAST_WAS, {"session": relay.session, "since": since, "words": words})
        if was and queue.left():
            return True
        relay.process.send_signal(signal.SIGCONT)
        if not queue.left():  # all was done before a moment was right
            queue.add(1)
            since = queue.stage.ask("SELECT clock_timestamp()")
        return False

    until(it_is_the_moment, "the relay is frozen in the middle of its work")


@pytest.mark.slow("thousands of messages")
@pytest.mark.parametrize(
    "size",
    [
        pytest.param(Size(bookings=200, events=20, seconds=1.0), id="short"),
        pytest.param(Size(bookings=500, events=20, seconds=10.0), id="long", marks=pytest.mark.soak),
    ],
)
def test_order_and_completeness_hold(service: Service, size: Size) -> None:
    queue = Queue(service.stage, size.bookings)
    with ExitStack() as running:
        relays = [running.enter_context(Relay.running(service)) for _ in range(_RELAYS)]
        queue.add(size.events)
        total = queue.left()
        until(lambda: queue.left() < total, "some have been published")

        freeze(relays[0], queue, _HAS_READ)
        freeze(relays[1], queue, _HAS_MARKED)
        thaw_at, left = time.monotonic() + size.seconds, queue.left()
        until(lambda: queue.left() == 0, "the others have published everything")
        queue.add(2)  # newer than what the frozen ones may have to say
        until(lambda: queue.left() == 0, "the others have published what came later")
        time.sleep(max(0.0, thaw_at - time.monotonic()))
        for relay in relays[:2]:
            relay.process.send_signal(signal.SIGCONT)
        queue.add(1)
        until(lambda: queue.left() == 0, "all has been published")
        stop([relay.process for relay in relays])

    records = service.events()
    told = first_appearances(records)
    assert len(told) == size.bookings
    assert all(list(numbers) == list(range(1, queue.last + 1)) for numbers in told.values()), told
    repeats = len(records) - size.bookings * queue.last
    print(f"frozen with {left} events not marked; {len(records)} published, {repeats} of them repeats")
    assert repeats > 0, "what the frozen relay held was published by others too"
