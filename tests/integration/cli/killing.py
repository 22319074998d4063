"""Programs that are killed (-9) at moments that chance chooses."""

import os
import random
import signal
import time
from collections.abc import Callable
from typing import Any

import psycopg

from tests.support.processes import PATIENCE_SECONDS, running_booking


def chance() -> random.Random:
    """Chance; BOOKING_TEST_SEED, which is printed, brings the same moments again."""
    seed = os.environ.get("BOOKING_TEST_SEED") or str(random.getrandbits(32))
    print(f"BOOKING_TEST_SEED={seed}")
    return random.Random(seed)


def kill(url: str, *arguments: str, begun: Callable[[], bool], after: float) -> bool:
    """Start the program, and kill it so many seconds after its work has begun; False if it was done before."""
    with running_booking(url, *arguments) as process:
        give_up_at = time.monotonic() + PATIENCE_SECONDS
        while not begun():
            assert process.poll() is None or begun(), process.communicate(timeout=60)
            assert time.monotonic() < give_up_at, "its work never began"
            time.sleep(0.001)
        time.sleep(after)
        process.send_signal(signal.SIGKILL)
        return process.wait(60) == -signal.SIGKILL


def value(door: psycopg.Connection[Any], query: str) -> Any:
    """The first value of the first row; None if there is no row."""
    row = door.execute(query).fetchone()
    return None if row is None else row[0]
