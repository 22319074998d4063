"""Consumers killed with -9 at every moment, and groups that change: each payment is applied once."""

import signal
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from random import Random
from uuid import uuid4

import psycopg
import pytest

from booking_core.domain.booking import Booking
from tests.integration.chaos.aftermath import check
from tests.integration.chaos.dying_bus import BEFORE_OFFSET_COMMIT, on_the_shelf
from tests.integration.chaos.load import Acknowledged, Load
from tests.integration.chaos.membership import evict_everybody
from tests.integration.chaos.payment_service import message
from tests.integration.chaos.programs import Program
from tests.integration.chaos.rounds import kills
from tests.integration.chaos.stage import Stage, until

_HEARD = "SELECT count(*) FROM booking.inbox"
_WAITING = """
    SELECT count(*) FROM pg_stat_activity
    WHERE datname = current_database() AND application_name = 'booking-core' AND cardinality(pg_blocking_pids(pid)) > 0
"""


@pytest.fixture
def door(stage: Stage) -> Iterator[psycopg.Connection[tuple[int]]]:
    """A connection to look and to lock, past the programs."""
    with psycopg.connect(stage.url, autocommit=True) as connection:
        yield connection


def number(door: psycopg.Connection[tuple[int]], query: str) -> int:
    (found,) = door.execute(query).fetchall()
    return found[0]


def paid_bookings(stage: Stage, bookings: int) -> Acknowledged:
    """So many bookings, and for each a payment that nobody has consumed yet."""
    made = [stage.reserve(stage.seats.pop()) for _ in range(bookings)]
    messages = [message(each.booking_id, "payment.success", uuid4()) for each in made]
    stage.bus.publish(stage.payments_topic, messages)
    return Acknowledged(booked={each.booking_id: each for each in made}, said=messages)


@contextmanager
def locked(stage: Stage, booking: Booking) -> Iterator[None]:
    """Somebody else has the row of this booking."""
    with psycopg.connect(stage.url) as connection:
        query = "SELECT 1 FROM booking.bookings WHERE booking_id = %s FOR UPDATE"
        assert connection.execute(query, [booking.booking_id]).fetchone()
        yield
        connection.rollback()


@pytest.mark.slow("kills at random moments")
@kills(2, 80)
def test_a_consumer_killed_at_random_moments(
    stage: Stage, door: psycopg.Connection[tuple[int]], moments: Random, kills: int
) -> None:
    stage.program("relay").start()
    consumer = stage.program("consume")
    with Load(stage, moments).goes_on() as acknowledged:
        for _ in range(kills):
            heard = number(door, _HEARD)
            consumer.start()
            until(lambda heard=heard: number(door, _HEARD) > heard, "the consumer is at work")  # type: ignore[misc]
            time.sleep(moments.uniform(0.0, 0.3))
            consumer.kill()
            evict_everybody(stage.servers, stage.group)
    consumer.start()
    stage.settle()

    print(check(stage, acknowledged))


def test_a_consumer_killed_between_database_commit_and_offset_commit(
    stage: Stage, door: psycopg.Connection[tuple[int]], tmp_path: Path
) -> None:
    acknowledged = paid_bookings(stage, 30)

    dying = stage.program("consume", **on_the_shelf(tmp_path, BEFORE_OFFSET_COMMIT))
    dying.start()
    assert dying.wait() == -signal.SIGKILL, dying.describe()
    assert number(door, _HEARD) > 0, "nothing was applied"
    assert stage.unconsumed() == 30, "an offset was committed"
    finish(stage)

    assert check(stage, acknowledged).events == 60


@pytest.mark.slow("the other crash of a consumer is in every run")
def test_a_consumer_killed_before_both_commits(
    stage: Stage, door: psycopg.Connection[tuple[int]], moments: Random
) -> None:
    acknowledged = paid_bookings(stage, 30)
    unlucky = moments.choice(list(acknowledged.booked.values()))

    consumer = stage.program("consume")
    with locked(stage, unlucky):
        consumer.start()
        until(lambda: number(door, _WAITING) == 1, "the consumer is in its transaction")
        consumer.kill()
    assert number(door, _HEARD) < 30
    assert stage.unconsumed() == 30, "an offset was committed"
    finish(stage)

    assert check(stage, acknowledged).events == 60


def finish(stage: Stage) -> None:
    """Another consumer and a relay do what is left; the dead one is not waited for."""
    evict_everybody(stage.servers, stage.group)
    for command in ("consume", "relay"):
        stage.program(command).start()
    stage.settle()


@pytest.mark.slow("kills at random moments")
@kills(2, 60)
def test_members_that_join_and_leave(stage: Stage, moments: Random, kills: int) -> None:
    stage.program("relay").start()
    members = [stage.program("consume") for _ in range(3)]
    for member in members[:2]:
        member.start()
    with Load(stage, moments).goes_on() as acknowledged:
        for _ in range(kills):
            for member in members:
                if member.is_alive:
                    member.await_started()
            time.sleep(moments.uniform(0.0, 1.5))
            change(members, moments)
    assert any(member.is_alive for member in members)
    stage.settle()

    print(check(stage, acknowledged))


def change(members: Sequence[Program], moments: Random) -> None:
    """One joins or leaves politely; the last one never leaves."""
    alive = [member for member in members if member.is_alive]
    absent = [member for member in members if not member.is_alive]
    if absent and (len(alive) == 1 or moments.random() < 0.5):
        moments.choice(absent).start()
    else:
        moments.choice(alive).stop()
