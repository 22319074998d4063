"""Stages for the kill tests, and the moments at which things die: all of them from one seed, which is printed."""

import os
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

from tests.integration.chaos.places import MortalPostgres
from tests.integration.chaos.stage import Stage
from tests.support.kafka.broker import KafkaBroker
from tests.support.leaks import keep
from tests.support.postgres.fixtures import FreshDatabase


@pytest.fixture
def moments() -> Random:
    """Chance. BOOKING_TEST_SEED, printed by every test that fails, brings the same moments again."""
    seed = os.environ.get("BOOKING_TEST_SEED") or str(Random().getrandbits(32))
    print(f"BOOKING_TEST_SEED={seed}")
    return Random(seed)


@pytest.fixture
def stage(fresh_database: FreshDatabase, kafka_bootstrap: str, tmp_path: Path, events: int) -> Iterator[Stage]:
    """A stage for rounds in which only programs die: database server and broker are those of all tests."""
    with Stage.at(fresh_database(), kafka_bootstrap, tmp_path, events=events) as stage:
        yield stage


@pytest.fixture
def events() -> int:
    """How many events of 500 seats the stage has; long rounds want more."""
    return 1


@pytest.fixture(scope="module")
def postgres(request: pytest.FixtureRequest) -> Iterator[MortalPostgres]:
    """A database server to be cruel to."""
    server = MortalPostgres()
    try:
        server.start()
        yield server
    finally:
        server.destroy()


@pytest.fixture
def frail(postgres: MortalPostgres, mortal_broker: KafkaBroker, tmp_path: Path, events: int) -> Iterator[Stage]:
    """A stage on that database server and that broker."""
    with Stage.at(postgres.new_database(), mortal_broker.bootstrap_servers, tmp_path, events=events) as stage:
        yield stage
    # Whatever happened, the next test finds it.
    postgres.start()
    keep(postgres.pid)
    keep(postgres.guard)
