"""Relays killed with -9 while they publish: everything is said, in order, and what is said twice is the same."""

import signal
import time
from pathlib import Path
from random import Random

import pytest

from tests.integration.chaos.aftermath import check
from tests.integration.chaos.dying_bus import AFTER_PUBLISH, on_the_shelf
from tests.integration.chaos.load import Acknowledged, Load
from tests.integration.chaos.rounds import kills
from tests.integration.chaos.stage import Stage


@pytest.mark.slow("kills at random moments")
@kills(2, 100)
def test_relays_killed_at_random_moments(stage: Stage, moments: Random, kills: int) -> None:
    relays = [stage.program("relay") for _ in range(2)]
    stage.program("consume").start()
    with Load(stage, moments).goes_on() as acknowledged:
        for _ in range(kills):
            relay = moments.choice(relays)
            relay.start()
            relay.await_started()
            time.sleep(moments.uniform(0.0, 0.3))
            relay.kill()
    for relay in relays:
        relay.start()
    stage.settle()

    print(check(stage, acknowledged))


def test_a_relay_killed_between_publishing_and_marking(stage: Stage, tmp_path: Path) -> None:
    bookings = [stage.reserve(stage.seats.pop()) for _ in range(20)]
    acknowledged = Acknowledged(booked={booking.booking_id: booking for booking in bookings})

    dying = stage.program("relay", **on_the_shelf(tmp_path, AFTER_PUBLISH))
    dying.start()
    assert dying.wait() == -signal.SIGKILL, dying.describe()
    assert stage.unpublished() == 20
    stage.program("relay").start()
    stage.settle()

    found = check(stage, acknowledged)
    assert (found.events, found.repeats) == (20, 20)
