"""During an upgrade the release before serves beside this one, on the schema of this one: the races over both.

BOOKING_PREVIOUS_PYTHON is the Python of an environment in which the release before is installed; without it these tests
are skipped.
"""

import os
import signal
import subprocess
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Final

import pytest

from booking_dev.tokens import DevTokens
from tests.integration.http_live.test_front_under_fire import load
from tests.support.jwks import Jwks
from tests.support.live import BOOKINGS, Answer, Customer, Live, together
from tests.support.postgres.stage import Stage, until
from tests.support.processes import environment, free_port, kill, wait_until

_PYTHON: Final = os.environ.get("BOOKING_PREVIOUS_PYTHON")
_ROUNDS: Final = 10
_PAIRS: Final = 10

pytestmark = [
    pytest.mark.soak,
    pytest.mark.skipif(_PYTHON is None, reason="BOOKING_PREVIOUS_PYTHON names no Python with the release before"),
]


@contextmanager
def previous(stage: Stage, tokens: DevTokens, jwks: Jwks) -> Iterator[Live]:
    """`booking serve` of the release before, in two processes."""
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="booking-test-") as scratch:
        more = {"BOOKING_LOG_LEVEL": "ERROR", "BOOKING_JWT_JWKS_URL": jwks.url, "TMPDIR": scratch}
        process = subprocess.Popen(
            [str(_PYTHON), "-m", "booking_cli", "serve", "--port", str(port), "--workers", "2"],
            env=environment(stage.url, **more),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        live = Live(stage, tokens, port, process)
        try:
            wait_until(live.is_ready, process)
            yield live
        finally:
            for customer in live._customers:
                customer.close()
            kill(process)


@pytest.fixture
def both(own_live: Live, jwks: Jwks) -> Iterator[tuple[Live, Live]]:
    """This release and the one before, on one database."""
    with previous(own_live.stage, own_live.tokens, jwks) as old:
        yield own_live, old


def alternating(both: tuple[Live, Live], users: Sequence[str]) -> list[Customer]:
    """One customer for each user: of this release, of the one before, and so on."""
    return [both[number % 2].customer(user) for number, user in enumerate(users)]


def ordered(
    customers: Sequence[Customer], live: Live, places: Sequence[Sequence[int]], **headers: str
) -> list[Callable[[], Answer]]:
    return [
        partial(customer.insist, "POST", BOOKINGS, live.order(*each), **headers)
        for customer, each in zip(customers, places, strict=True)
    ]


def test_the_races_over_both_releases(both: tuple[Live, Live]) -> None:
    new, _ = both
    stage = new.stage
    for number in range(_ROUNDS):
        stage.set_up(seats=100)

        crowd = alternating(both, [f"fan-{number}-{n}" for n in range(200)])
        answers = together(ordered(crowd, new, [[0]] * 200))
        (winner,) = [answer for answer in answers if answer.status == 201]
        refused = Counter(answer.refusal for answer in answers if answer is not winner)
        assert refused == {(409, "SEAT_ALREADY_RESERVED"): 199}

        greedy = alternating(both, [f"greedy-{number}"] * 12)
        answers = together(ordered(greedy, new, [[1 + n] for n in range(12)]))
        statuses = Counter(answer.status for answer in answers)
        assert statuses == {201: 3, 409: 9}

        patient = alternating(both, [f"patient-{number}"] * 50)
        answers = together(ordered(patient, new, [[20, 21]] * 50, Idempotency_Key="k"))
        made = [answer for answer in answers if answer.status == 201]
        assert len({answer.body for answer in made}) == 1
        assert {answer.refusal for answer in answers if answer not in made} <= {(409, "IDEMPOTENCY_IN_PROGRESS")}

        pairs = [[30 + 2 * n, 31 + 2 * n] for n in range(_PAIRS)]
        wanted = [order for pair in pairs for order in (pair, pair[::-1])]
        swappers = alternating(both, [f"swap-{number}-{n}" for n in range(2 * _PAIRS)])
        answers = together(ordered(swappers, new, wanted))
        for place in range(0, len(answers), 2):
            assert {answer.status for answer in answers[place : place + 2]} == {201, 409}
        stage.age(3600)

        shifted = [[30 + (2 * n + 1) % (2 * _PAIRS), 30 + (2 * n + 2) % (2 * _PAIRS)] for n in range(_PAIRS)]
        takers = alternating(both, [f"taker-{number}-{n}" for n in range(_PAIRS)])
        answers = together(ordered(takers, new, shifted))
        assert Counter(answer.status for answer in answers) == {201: _PAIRS}

        assert stage.ask("SELECT count(*) FROM booking.bookings WHERE user_id = %s", [f"patient-{number}"]) == 1
        stage.check_books()
    assert new.groups > 0
    for live in both:
        live.stop()
    assert stage.deadlocks() == 0


def test_the_workers_are_replaced_by_those_of_this_release_under_load(
    stage: Stage, tokens: DevTokens, jwks: Jwks
) -> None:
    """As an upgrade does it: first this release comes beside the one before, then that one is stopped."""
    stage.set_up(seats=8000)
    with (
        previous(stage, tokens, jwks) as old,
        load(old, 6) as before,
        Live.over(stage, tokens, jwks) as new,
        load(new, 6) as after,
    ):
        after._places = before._places  # the same seats of the same event, one after the other
        until(lambda: len(before.confirmed) > 200 and len(after.confirmed) > 200, "both serve")
        before.over.set()
        old.process.send_signal(signal.SIGTERM)
        assert old.process.wait(40) == 0
        served = len(after.confirmed)
        until(lambda: len(after.confirmed) > served + 200, "this release serves alone")

    assert after.dropped == []
    stored = {row[0] for row in stage.door.execute("SELECT booking_id FROM booking.bookings")}
    assert before.kept | after.kept <= stored
    stage.check_books()
