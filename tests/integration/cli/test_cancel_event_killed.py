"""`booking cancel-event`, killed at any moment and started again: everything once, and the end said once."""

import json
from collections.abc import Iterator

import psycopg
import pytest
from attrs import frozen

from tests.integration.cli.full_house import FullHouse
from tests.integration.cli.killing import chance, kill, value
from tests.support.postgres.fixtures import FreshDatabase, database_name, databases
from tests.support.processes import PATIENCE_SECONDS, booking, running_booking

LIVE = 500  # two full chunks and one that is not
CLOSED = "SELECT count(*) FROM booking.events WHERE closed_at IS NOT NULL"
ENDED = "SELECT count(*) FROM booking.bookings WHERE cancellation_reason = 'EVENT_CANCELLED'"
SECONDS = "SELECT extract(epoch FROM finished_at - closed_at)::float FROM booking.events WHERE finished_at IS NOT NULL"
EVERYTHING = "SELECT (SELECT count(*) FROM booking.history), (SELECT count(*) FROM booking.outbox)"


@frozen
class Template:
    """The name of a database with a full house, to be copied, and what is in it."""

    name: str
    house: FullHouse


@pytest.fixture(scope="module")
def template(postgres_url: str) -> Iterator[Template]:
    with databases(postgres_url) as create:
        url = create()
        yield Template(database_name(url), FullHouse.fill(url, LIVE))


def command(house: FullHouse) -> tuple[str, ...]:
    return "cancel-event", str(house.event_id), "--reason", "the hall is flooded", "--json"


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("kills", [2, pytest.param(20, marks=pytest.mark.soak)])
def test_killed_and_started_again(template: Template, fresh_database: FreshDatabase, kills: int) -> None:
    house, moments = template.house, chance()
    seconds = undisturbed(fresh_database(template=template.name), house)
    found: list[int] = []
    for _ in range(kills):
        url = fresh_database(template=template.name)
        with psycopg.connect(url, autocommit=True) as door:
            kill(url, *command(house), begun=lambda: value(door, CLOSED) == 1, after=moments.uniform(0, seconds))
            found.append(value(door, ENDED))

            again = json.loads(booking(url, *command(house)).stdout)

            assert again["bookings"] <= len(house.live), "what was done before is not done again"
            house.check_cancelled(door)
    print(f"bookings cancelled when killed, of {len(house.live)}: {found}")
    assert any(0 < number < len(house.live) for number in found) or kills < 20, "no kill hit the work"


def undisturbed(url: str, house: FullHouse) -> float:
    """Cancel it with no kill and once more; how many seconds the work took."""
    with psycopg.connect(url, autocommit=True) as door:
        preview = json.loads(booking(url, *command(house), "--dry-run").stdout)
        assert value(door, CLOSED) == 0
        done = json.loads(booking(url, *command(house)).stdout)
        assert done == preview
        assert (done["bookings"], done["seats"]) == (len(house.live), len(house.live))
        asked = sum(1 for *_, reason in house.refunds if reason == "EVENT_CANCELLED")
        assert done["refunds"] == [{"currency": "USD", "amount": float(house.taken), "count": asked}]
        house.check_cancelled(door)

        before = door.execute(EVERYTHING).fetchone()
        again = json.loads(booking(url, *command(house)).stdout)
        assert (again["bookings"], again["seats"], again["refunds"]) == (0, 0, [])
        assert door.execute(EVERYTHING).fetchone() == before
        return float(value(door, SECONDS))


@pytest.mark.slow("the other crash of the command is in every run")
@pytest.mark.timeout(3600)
def test_two_at_once_of_which_one_is_killed(template: Template, fresh_database: FreshDatabase) -> None:
    """The worker may be at it as well: what one has done the other does not do again, and it comes to the end."""
    house, url = template.house, fresh_database(template=template.name)
    with psycopg.connect(url, autocommit=True) as door, running_booking(url, *command(house)) as other:
        kill(url, *command(house), begun=lambda: value(door, ENDED) > 0, after=0)
        out, err = other.communicate(timeout=PATIENCE_SECONDS)

        assert other.returncode == 0, err
        assert json.loads(out)["bookings"] <= len(house.live)
        house.check_cancelled(door)
