"""PostgreSQL stands still for two seconds under load: nothing is lost, and groups go on without a restart."""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from time import monotonic
from typing import Final

import psycopg

from booking_dev.tokens import DevTokens
from tests.integration.chaos.places import MortalPostgres
from tests.integration.http_live.test_front_under_fire import load, stored_in
from tests.support.jwks import Jwks
from tests.support.live import Live
from tests.support.postgres.stage import Stage, open_store, until

_FROZEN_SECONDS: Final = 2.0
_BUDGET: Final = 12
_SESSIONS: Final = (
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'booking-core'"
)


@contextmanager
def frozen(postmaster: int) -> Iterator[None]:
    """The server's processes are stopped until the end of the block."""
    children = Path(f"/proc/{postmaster}/task/{postmaster}/children").read_text().split()
    processes = [postmaster, *map(int, children)]
    try:
        for process in processes:
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGSTOP)
        yield
    finally:
        for process in processes:
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGCONT)


def test_a_server_frozen_for_two_seconds_loses_nothing_and_groups_go_on(tokens: DevTokens, jwks: Jwks) -> None:
    server = MortalPostgres()
    try:
        server.start()
        url = server.new_database()
        store = open_store(url, 1)
        store.upkeep.migrate()
        store.close()
        with Stage.at(url, seats=6000) as stage, Live.over(stage, tokens, jwks) as live, load(live, 24) as running:
            stage.store.close()  # its connections would count
            until(running.confirmed_since(0, 40), "it is under way")
            with frozen(server.pid):
                began = monotonic()
                time.sleep(_FROZEN_SECONDS)
                refused = [when for when in running.refused if when > began]
            thawed, groups = monotonic(), live.groups
            until(running.confirmed_since(thawed, 100), "all are served again")

            assert refused, "nobody waits for as long as the server is frozen but the members of groups"
            assert live.groups > groups
            with psycopg.connect(url) as door:
                [sessions] = door.execute(_SESSIONS).fetchone() or (0,)
            assert sessions <= _BUDGET
        assert running.dropped == []
        assert running.kept <= stored_in(url)
        assert max(running.refused) - thawed < 2
        with Stage.at(url) as stage:
            stage.check_books()
    finally:
        server.destroy()
