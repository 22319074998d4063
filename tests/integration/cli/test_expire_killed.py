"""`booking expire`, killed at any moment and started again: every hold ends once, and nobody waits for the dead."""

import json
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID

import psycopg
import pytest
from attrs import define

from tests.integration.cli.killing import chance, kill, value
from tests.support.postgres.fixtures import FreshDatabase, database_name, databases
from tests.support.postgres.stage import Stage, open_store
from tests.support.processes import booking

HOLDS = 1500  # three chunks
EXPIRED = "SELECT count(*) FROM booking.bookings WHERE cancellation_reason = 'EXPIRED'"
BEGUN = f"""
    SELECT count(*) + ({EXPIRED}) FROM pg_stat_activity WHERE datname = current_database()
    AND application_name = 'booking-core' AND query LIKE '%due AS MATERIALIZED%'
"""
SAID = "SELECT key, event_type FROM booking.outbox WHERE event_type <> 'booking.created'"
ENDINGS = "SELECT booking_id FROM booking.history WHERE trigger = 'TIME'"


@define(eq=False)
class Holds:
    """The name of a database in which these holds are overdue, to be copied."""

    name: str
    bookings: set[UUID]

    def check_expired(self, door: psycopg.Connection[tuple[UUID, str]]) -> None:
        """Each ended once, and both events were said of it, once each."""
        assert value(door, EXPIRED) == len(self.bookings)
        assert Counter(row[0] for row in door.execute(ENDINGS)) == Counter(self.bookings)
        both = [(each, what) for each in self.bookings for what in ("booking.expired", "booking.cancelled")]
        assert Counter(door.execute(SAID).fetchall()) == Counter(both)
        Stage("", None, None, door).check_books()  # type: ignore[arg-type]  # it needs no more than the door


@pytest.fixture(scope="module")
def overdue(postgres_url: str) -> Iterator[Holds]:
    with databases(postgres_url) as create:
        url = create()
        store = open_store(url, 1)
        store.upkeep.migrate()
        store.close()
        with Stage.at(url, seats=HOLDS, connections=4) as stage, ThreadPoolExecutor(4) as threads:
            places = range(HOLDS)
            made = threads.map(lambda place: stage.fixture.reserve(place, user=f"user-{place}", window=0.001), places)
            bookings = {each.booking_id for each in made}
        yield Holds(database_name(url), bookings)


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("kills", [2, pytest.param(20, marks=pytest.mark.soak)])
def test_killed_and_started_again(overdue: Holds, fresh_database: FreshDatabase, kills: int) -> None:
    moments = chance()
    found: list[int] = []
    for _ in range(kills):
        url = fresh_database(template=overdue.name)
        with psycopg.connect(url, autocommit=True) as door:
            kill(url, "expire", begun=lambda: value(door, BEGUN) > 0, after=moments.uniform(0, 0.15))
            found.append(value(door, EXPIRED))

            again = json.loads(booking(url, "expire", "--json").stdout)

            assert again["expired"] <= HOLDS - found[-1]
            overdue.check_expired(door)
    print(f"bookings expired when killed, of {HOLDS}: {found}")
    assert any(number < HOLDS for number in found) or kills < 20, "no kill hit the work"


@pytest.mark.slow("the other crash of the command is in every run")
def test_several_at_once_and_a_hold_that_its_customer_works_on(overdue: Holds, fresh_database: FreshDatabase) -> None:
    """Nobody waits: the sweeps leave what a customer has locked, each of them ends, and together they end the rest."""
    url = fresh_database(template=overdue.name)
    busy = next(iter(overdue.bookings))
    with psycopg.connect(url, autocommit=True) as door, psycopg.connect(url) as customer:
        customer.execute("SELECT 1 FROM booking.bookings WHERE booking_id = %s FOR UPDATE", [busy])
        with ThreadPoolExecutor(3) as threads:
            done = [threads.submit(booking, url, "expire", "--json") for _ in range(3)]
            swept = [json.loads(each.result().stdout) for each in done]

        assert sum(each["expired"] for each in swept) == sum(each["seatsReleased"] for each in swept) == HOLDS - 1
        customer.rollback()
        assert json.loads(booking(url, "expire", "--json").stdout) == {"expired": 1, "seatsReleased": 1}
        overdue.check_expired(door)
