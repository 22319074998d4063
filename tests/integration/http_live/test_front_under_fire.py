"""Stops, restarts and replacements under load: everybody is answered, and what was confirmed is there."""

import http.client
import json
import shutil
import signal
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from time import monotonic
from typing import Any, Final
from uuid import UUID

import psycopg
import pytest
from attrs import define, field

from booking_dev.tokens import DevTokens
from booking_postgres_embedded import EmbeddedPostgres
from tests.integration.chaos.places import MortalPostgres
from tests.support.directories import open_directory
from tests.support.jwks import Jwks
from tests.support.live import BOOKINGS, Customer, Live, at_work
from tests.support.postgres.fixtures import chosen_binaries
from tests.support.postgres.stage import Stage, open_store, until
from tests.support.processes import free_port

_BUDGET: Final = 12
_SESSIONS: Final = (
    "SELECT array_agg(pid) FROM pg_stat_activity"
    " WHERE datname = current_database() AND application_name = 'booking-core'"
)


@define
class Caller:
    """One who sends at one moment and reads at another, on a connection that the service knows already."""

    live: Live
    connection: http.client.HTTPConnection = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.connection = http.client.HTTPConnection("127.0.0.1", self.live.port, timeout=30)
        self.ask_health()

    def ask_health(self) -> None:
        self.connection.request("GET", "/healthz")
        assert self.status() == 200

    def begin(self, user: str, *places: int) -> bytes:
        """Send all but the last part of the body, which is the result."""
        body = json.dumps(self.live.order(*places)).encode()
        self.connection.putrequest("POST", BOOKINGS)
        self.connection.putheader("Authorization", f"Bearer {self.live.tokens.sign(user)}")
        self.connection.putheader("Content-Length", str(len(body)))
        self.connection.endheaders(body[:-10])
        return body[-10:]

    def reserve(self, user: str, *places: int) -> None:
        self.connection.send(self.begin(user, *places))

    def status(self) -> int:
        answer = self.connection.getresponse()
        answer.read()
        return answer.status


def test_a_stop_under_load_leaves_nobody_without_an_answer(own_live: Live) -> None:
    """Some wait in the database, some in a lane, some for free hands, and of some the body is still on its way."""
    stage = own_live.stage
    stage.set_up(seats=100)
    crowd, others, slow = ([Caller(own_live) for _ in range(size)] for size in (30, 40, 4))
    witnesses = [Caller(own_live) for _ in range(24)]  # each of the threads that hear has some of them
    with stage.outsider() as outsider:
        outsider.execute("LOCK TABLE booking.seats IN ACCESS EXCLUSIVE MODE")
        ends = [caller.begin(f"slow-{place}", place) for place, caller in enumerate(slow, 90)]
        for number, caller in enumerate(crowd):
            caller.reserve(f"crowd-{number}", 0)
        for place, caller in enumerate(others, 1):
            caller.reserve(f"other-{place}", place)
        for witness in witnesses:  # whoever sent something before them was heard before them
            witness.ask_health()
        stage.await_waiting(2)

        own_live.process.send_signal(signal.SIGTERM)
    for caller, end in zip(slow, ends, strict=True):
        caller.connection.send(end)
    statuses = Counter(caller.status() for caller in (*crowd, *others, *slow))

    assert own_live.process.wait(30) == 0
    for caller in (*crowd, *others, *slow, *witnesses):
        caller.connection.close()
    assert statuses.total() == 74
    assert statuses.keys() <= {201, 409, 503}
    assert statuses[201] == stage.ask("SELECT count(*) FROM booking.bookings") > 0


@contextmanager
def load(live: Live, customers: int) -> Iterator["Load"]:
    """So many reserve one seat after the other until the block ends."""
    running = Load(live)
    with at_work(running.should_continue, running.over, customers):
        yield running


@define(eq=False)
class Load:
    """`refused` and `confirmed` tell when; `kept` which bookings were confirmed."""

    live: Live
    over: threading.Event = field(factory=threading.Event)
    confirmed: list[float] = field(factory=list)
    refused: list[float] = field(factory=list)
    dropped: list[float] = field(factory=list)
    kept: set[UUID] = field(factory=set)
    _places: Iterator[int] = field(factory=count)

    def should_continue(self) -> None:
        customer: Customer | None = None
        while not self.over.wait(0.02):
            try:
                customer = customer or Customer("", self.live.port)
                self._reserve(customer)
            except (http.client.HTTPException, ConnectionError):
                self.dropped.append(monotonic())
                if customer is not None:
                    customer.close()
                customer = None
        if customer is not None:
            customer.close()

    def _reserve(self, customer: Customer) -> None:
        place = next(self._places)
        customer.token = self.live.tokens.sign(f"load-at-{place}")
        answer = customer.call("POST", BOOKINGS, self.live.order(place))
        if answer.status == 201:
            self.kept.add(UUID(answer.data["bookingId"]))
            self.confirmed.append(monotonic())
        else:
            assert answer.refusal == (503, "SERVICE_BUSY")
            self.refused.append(monotonic())

    def confirmed_since(self, moment: float, wanted: int) -> Callable[[], bool]:
        return lambda: sum(when > moment for when in self.confirmed) >= wanted


@pytest.fixture
def own_postgres() -> Iterator[EmbeddedPostgres]:
    """A server with a migrated database that this test alone uses, and may restart: its port stays."""
    directory = open_directory()
    server = EmbeddedPostgres(directory, port=free_port(), durable=False, binaries=chosen_binaries())
    try:
        server.start()
        store = open_store(server.url, 1)
        store.upkeep.migrate()
        store.close()
        yield server
    finally:
        server.destroy()
        shutil.rmtree(directory)


def test_a_restart_of_postgresql_is_over_in_five_seconds_and_nothing_confirmed_is_lost(
    own_postgres: EmbeddedPostgres, tokens: DevTokens, jwks: Jwks
) -> None:
    with Stage.at(own_postgres.url, seats=4000) as stage:
        pass  # the scene is set; a door would not survive
    with Live.over(stage, tokens, jwks) as live, load(live, 12) as running:
        until(running.confirmed_since(0, 40), "it is under way")

        own_postgres.stop()
        until(lambda: len(running.refused) >= 12, "the outage is felt")
        own_postgres.start()
        back = monotonic()
        until(running.confirmed_since(back + 0.5, 120), "it is back")

    assert max(running.refused) - back < 5
    assert running.dropped == []
    assert running.kept <= stored_in(own_postgres.url)


def stored_in(url: str) -> set[UUID]:
    with psycopg.connect(url) as connection:
        return {row[0] for row in connection.execute("SELECT booking_id FROM booking.bookings")}


@pytest.mark.slow("a server to kill; its restart under load is in every run")
@pytest.mark.parametrize("kills", [2, pytest.param(30, marks=pytest.mark.soak)])
def test_postgresql_killed_under_load_loses_nothing_confirmed_and_groups_go_on(
    tokens: DevTokens, jwks: Jwks, kills: int
) -> None:
    server = MortalPostgres()
    try:
        server.start()
        url = server.new_database()
        store = open_store(url, 1)
        store.upkeep.migrate()
        store.close()
        with Stage.at(url, seats=6000 * (kills + 1)) as stage:
            pass
        with Live.over(stage, tokens, jwks) as live, load(live, 12) as running:
            until(running.confirmed_since(0, 40), "it is under way")
            for _ in range(kills):
                groups = live.groups
                server.kill()
                server.start()
                until(running.confirmed_since(monotonic(), 100), "it is back")

                assert live.groups > groups
                with psycopg.connect(url) as door:
                    assert len(_first(door, _SESSIONS)) <= _BUDGET
        assert running.dropped == []
        assert running.kept <= stored_in(url)
        with Stage.at(url) as stage:
            stage.check_books()
    finally:
        server.destroy()


def test_connections_stay_within_the_budget_while_workers_are_replaced(own_live: Live) -> None:
    own_live.stage.set_up(seats=4000)
    own_live.stage.store.close()
    seen: list[set[int]] = [set()]

    with load(own_live, 24) as running, psycopg.connect(own_live.stage.url, autocommit=True) as door:

        def look() -> set[int]:
            seen.append(set(_first(door, _SESSIONS) or ()))
            return seen[-1]

        def works_again() -> bool:
            return bool(look()) and is_back()

        # How many each process needs at once depends on the machine, and on which process the callers met.
        until(lambda: len(look()) >= _BUDGET // 3, "connections are in use")
        before = look()
        own_live.process.send_signal(signal.SIGHUP)
        until(lambda: not look() & before, "the workers are others")
        is_back = running.confirmed_since(monotonic(), 50)
        until(works_again, "they work")

    assert max(map(len, seen)) <= _BUDGET


def _first(door: psycopg.Connection[Any], query: str) -> Any:
    row = door.execute(query).fetchone()
    return None if row is None else row[0]
