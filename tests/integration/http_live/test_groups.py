"""Groups of `booking serve`: when there are none, and what a group that is stuck or ends late does to others."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from time import monotonic, sleep
from typing import Any, Final

import psycopg
import pytest

from booking_dev.tokens import DevTokens
from tests.integration.http_live.test_front_under_fire import load
from tests.support.jwks import Jwks
from tests.support.live import BOOKINGS, Live, together
from tests.support.postgres.stage import Stage, until

_FROZEN_SECONDS: Final = 2.5
# A second group starts half a second after the first; who waited for it from the beginning is refused after 0.4 s.
_SETTLED_SECONDS: Final = 1.0
_IDLE_GROUP_SESSIONS: Final = (
    "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'booking-core'"
    " AND state = 'idle' AND query = 'COMMIT' AND pid = ANY (%s)"
)
_GROUP_SESSIONS: Final = (
    "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'booking-core'"
    " AND query LIKE '%_and_load_many_%'"
)
_SESSIONS: Final = (
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'booking-core'"
)


@pytest.mark.parametrize(
    "settings", [{"BOOKING_DB_CONNECTIONS": "2"}, {"BOOKING_GROUP_SIZE": "1"}], ids=["a share of 1", "a size of 1"]
)
def test_there_are_no_groups_with_one_connection_or_a_size_of_one(
    stage: Stage, tokens: DevTokens, jwks: Jwks, settings: dict[str, str]
) -> None:
    stage.set_up(seats=40)
    with Live.over(stage, tokens, jwks, **settings) as live:
        crowd = live.crowd(40, "single")

        answers = together([partial(each.insist, "POST", BOOKINGS, live.order(n)) for n, each in enumerate(crowd)])

        assert {answer.status for answer in answers} == {201}
        assert live.groups == 0
    stage.check_books()


def test_customers_of_different_seats_share_transactions(own_live: Live) -> None:
    own_live.stage.set_up(seats=300)
    crowd = own_live.crowd(60, "together")
    for turn in range(5):
        jobs = [
            partial(each.insist, "POST", BOOKINGS, own_live.order(turn * 60 + n), Idempotency_Key=f"k-{turn}")
            for n, each in enumerate(crowd)
        ]
        answers = together(jobs)
        if turn < 3:
            assert {answer.status for answer in answers} == {201}
        else:
            assert {answer.refusal for answer in answers} == {(409, "PENDING_LIMIT_REACHED")}

    # How many share one depends on how many arrive while a group is under way.
    assert own_live.groups < own_live.metric("booking_group_size_sum")
    own_live.stage.check_books()


@contextmanager
def frozen(pid: int) -> Iterator[None]:
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def idle_group_session(door: psycopg.Connection[Any]) -> int:
    """The process of a session that runs groups, between two of them: it holds no lock."""
    seen: set[int] = set()
    found: list[int] = []

    def look() -> bool:
        seen.update(row[0] for row in door.execute(_GROUP_SESSIONS))
        found[:] = [row[0] for row in door.execute(_IDLE_GROUP_SESSIONS, [list(seen)])]
        return bool(found)

    until(look, "a session of groups is idle")
    return found[0]


def test_while_a_session_of_groups_is_frozen_all_others_are_served(own_live: Live) -> None:
    """The next group of that process runs on a second connection after half a second, and there is no third."""
    stage = own_live.stage
    stage.set_up(seats=6000)
    stage.store.close()  # its connections would count
    with load(own_live, 12) as running, psycopg.connect(stage.url, autocommit=True) as door:
        until(running.confirmed_since(0, 40), "it is under way")
        with frozen(idle_group_session(door)):
            began = monotonic()
            sleep(_FROZEN_SECONDS)
            served, refused = (
                [when for when in moments if _SETTLED_SECONDS < when - began < _FROZEN_SECONDS]
                for moments in (running.confirmed, running.refused)
            )
            sessions = stage.ask(_SESSIONS)
        until(running.confirmed_since(monotonic(), 50), "all are served again")

    assert running.dropped == []
    assert len(served) > 20
    assert len(refused) < 5
    assert sessions <= 12
    assert running.kept <= {row[0] for row in stage.door.execute("SELECT booking_id FROM booking.bookings")}
    stage.check_books()
