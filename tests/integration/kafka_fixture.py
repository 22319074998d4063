"""A real Kafka for the tests: `kafka_bootstrap` to connect to, `fresh_topic` to write to, `kafka_broker` to look into.

Each worker of pytest-xdist starts a broker of its own when its first test asks for one. All that it writes is in one of
pytest's temporary directories: should the run be killed, a later one removes it. `BOOKING_TEST_KAFKA_BOOTSTRAP_SERVERS`
names brokers to use instead (Redpanda, say). Without Java or Maven these tests skip and say what to install.
"""

import itertools
import os
import shutil
from collections.abc import Callable
from typing import Final

import pytest

from booking_kafka.connection import Connection
from booking_kafka.topics import ensure_topics
from tests.integration.kafka.broker import KafkaBroker, NotInstalled, java, libraries
from tests.integration.kafka.certificates import write_certificates

PARTITIONS: Final = 6

_shared: Final = pytest.StashKey[KafkaBroker]()
_numbers: Final = itertools.count(1)


def new_broker(config: pytest.Config, directories: pytest.TempPathFactory) -> KafkaBroker:
    """Another broker, running; it is gone when the test run ends. Skips the test where none can run."""
    try:
        program, jars = java(), libraries()
    except NotInstalled as error:
        pytest.skip(str(error))
    directory = directories.mktemp("kafka")
    config.add_cleanup(lambda: shutil.rmtree(directory))
    broker = KafkaBroker(directory, java=program, libraries=jars, keys=write_certificates(directory))
    config.add_cleanup(broker.kill)
    broker.start()
    return broker


@pytest.fixture(scope="session")
def kafka_broker(pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory) -> KafkaBroker:
    """The broker that the tests of this process share: leave it running, and its topics alone.

    Kept with the test run rather than with this fixture, of which each conftest that imports it has a copy.
    """
    if _shared not in pytestconfig.stash:
        pytestconfig.stash[_shared] = new_broker(pytestconfig, tmp_path_factory)
    return pytestconfig.stash[_shared]


@pytest.fixture(scope="session")
def kafka_bootstrap(request: pytest.FixtureRequest) -> str:
    """The brokers to test with, as BOOKING_KAFKA_BOOTSTRAP_SERVERS wants them."""
    named = os.environ.get("BOOKING_TEST_KAFKA_BOOTSTRAP_SERVERS")
    if named:
        return named
    broker: KafkaBroker = request.getfixturevalue("kafka_broker")
    return broker.bootstrap_servers


def make_topic(bootstrap_servers: str) -> str:
    """The name of a new topic with 6 partitions, which nobody else uses."""
    name = f"test.{os.getpid()}.{next(_numbers)}.{os.urandom(3).hex()}"
    ensure_topics(Connection(bootstrap_servers=tuple(bootstrap_servers.split(","))), [name], partitions=PARTITIONS)
    return name


@pytest.fixture
def fresh_topic(kafka_bootstrap: str) -> Callable[[], str]:
    """Makes topics that this test alone uses."""
    return lambda: make_topic(kafka_bootstrap)
