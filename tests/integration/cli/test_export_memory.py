"""`booking export` from PostgreSQL: its memory does not grow with the number of bookings."""

import re
import subprocess
import sys
from typing import Final

import pytest

from tests.support.postgres.stage import Stage
from tests.support.processes import environment

# The program, which reports its own peak after the export on standard error.
_MEASURED: Final = """
import resource, sys
from booking_cli.main import main
sys.argv = ["booking", *sys.argv[1:]]
try:
    main()
finally:
    print("peak", resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, file=sys.stderr)
"""
_STORE: Final = """
    INSERT INTO booking.bookings (slot, booking_id, event_id, user_id, status, total, currency, created_at, expires_at,
        deadline, correlation_id, revision, sequence, cancelled_at, cancellation_reason)
    SELECT n %% 4096, (left(gen_random_uuid()::text, 15) || lpad(to_hex(n %% 4096), 3, '0')
            || right(gen_random_uuid()::text, 18))::uuid, e.event_id, 'user ' || n, 'CANCELLED', 75, 'USD',
        now() - interval '1 day', now(), NULL, 'c', 1, 1, now(), 'USER_CANCELLED'
    FROM booking.events e, generate_series(1, %(count)s) n
"""


@pytest.fixture
def full(stage: Stage) -> Stage:
    stage.door.execute(_STORE.encode(), {"count": 4000})
    return stage


def peak_kilobytes(url: str, *arguments: str) -> tuple[int, int]:
    """Lines written, and the largest memory of the process."""
    done = subprocess.run(
        [sys.executable, "-c", _MEASURED, "export", *arguments],
        env=environment(url),
        capture_output=True,
        text=True,
        timeout=300,
        check=True,
    )
    [peak] = re.findall(r"^peak (\d+)$", done.stderr, re.MULTILINE)
    return len(done.stdout.splitlines()), int(peak)


@pytest.mark.parametrize("form", [(), ("--json",)])
def test_memory_does_not_grow_with_the_bookings(full: Stage, form: tuple[str, ...]) -> None:
    few, memory_of_few = peak_kilobytes(full.url, *form)
    full.door.execute(_STORE.encode(), {"count": 36_000})
    many, memory_of_many = peak_kilobytes(full.url, *form)

    assert (few, many) == ((4000, 40_000) if form else (4001, 40_001))
    # Forty parts of a thousand instead of four; all of it would be some 60 MB.
    assert memory_of_many - memory_of_few < 10_000
