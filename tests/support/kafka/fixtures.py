"""A real Kafka for the tests: `kafka_bootstrap` to connect to, `fresh_topic` to write to, `kafka_broker` to inspect.

Each worker of pytest-xdist starts a broker of its own when its first test asks for one. All that it writes is in one of
pytest's temporary directories: should the run be killed, a later one removes it. `BOOKING_TEST_KAFKA_BOOTSTRAP_SERVERS`
names brokers to use instead (Redpanda, say). Without Java or Maven these tests skip and name what to install.
"""

import itertools
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

import pytest

from booking_kafka.connection import Connection
from booking_kafka.topics import ensure_topics
from tests.support.kafka.broker import KafkaBroker, NotInstalled, java, libraries
from tests.support.kafka.certificates import write_certificates
from tests.support.leaks import keep

PARTITIONS: Final = 6

_numbers: Final = itertools.count(1)


@contextmanager
def new_broker(directories: pytest.TempPathFactory) -> Iterator[KafkaBroker]:
    """Another broker, running until the block ends. Skips the test where none can run."""
    try:
        program, jars = java(), libraries()
    except NotInstalled as error:
        pytest.skip(str(error))
    directory = directories.mktemp("kafka")
    broker = KafkaBroker(directory, java=program, libraries=jars, keys=write_certificates(directory))
    try:
        broker.start()
        yield broker
    finally:
        broker.kill()
        shutil.rmtree(directory)


@pytest.fixture(scope="session")
def kafka_broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaBroker]:
    """The broker that the tests of this process share: leave it running, and its topics alone."""
    with new_broker(tmp_path_factory) as broker:
        yield broker


@pytest.fixture(scope="session")
def shared_mortal_broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaBroker]:
    with new_broker(tmp_path_factory) as broker:
        yield broker


@pytest.fixture
def mortal_broker(shared_mortal_broker: KafkaBroker) -> Iterator[KafkaBroker]:
    """A broker to kill, freeze and stop; the next test that wants it finds it running again."""
    shared_mortal_broker.start()
    yield shared_mortal_broker
    shared_mortal_broker.thaw()
    if shared_mortal_broker.pid is not None:
        keep(shared_mortal_broker.pid)


@pytest.fixture(scope="session")
def kafka_bootstrap(request: pytest.FixtureRequest) -> str:
    """The brokers to test with, as BOOKING_KAFKA_BOOTSTRAP_SERVERS wants them."""
    named = os.environ.get("BOOKING_TEST_KAFKA_BOOTSTRAP_SERVERS")
    if named:
        return named
    broker: KafkaBroker = request.getfixturevalue("kafka_broker")
    return broker.bootstrap_servers


def make_topic(bootstrap_servers: str) -> str:
    """The name of a new topic with 6 partitions, used by one test."""
    name = f"test.{os.getpid()}.{next(_numbers)}.{os.urandom(3).hex()}"
    ensure_topics(Connection(bootstrap_servers=tuple(bootstrap_servers.split(","))), [name], partitions=PARTITIONS)
    return name


@pytest.fixture
def fresh_topic(kafka_bootstrap: str) -> Callable[[], str]:
    """Makes topics of this test alone."""
    return lambda: make_topic(kafka_bootstrap)
