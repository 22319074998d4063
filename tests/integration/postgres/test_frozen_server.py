"""A server that is stopped with its sockets open: nobody waits without end, and afterwards nothing is left behind."""

import gc
import os
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress

import psycopg
import pytest

from booking_core.domain.errors import CommitOutcomeUnknown, ServiceBusy, TransactionConflict
from booking_core.domain.lifecycle import Status
from booking_core.ports import Page
from booking_postgres.driver.pipeline import Statement, StatementFailed, run
from booking_postgres.driver.pool import create_pool
from booking_postgres.store import PostgresStore
from booking_postgres_embedded import EmbeddedPostgres
from tests.support.directories import open_directory
from tests.support.postgres.fixtures import chosen_binaries, databases
from tests.support.postgres.stage import Stage, open_store

ANSWER_SECONDS = 0.4
CONNECT_TIMEOUT = 3.0  # of the pool; psycopg takes no less than two
SLACK = 1.5


@pytest.fixture(scope="module")
def server() -> Iterator[EmbeddedPostgres]:
    """A server that may be frozen: no other test uses it."""
    directory = open_directory()
    server = EmbeddedPostgres(directory, durable=False, binaries=chosen_binaries())
    try:
        server.start()
        yield server
    finally:
        server.destroy()
        shutil.rmtree(directory)


@pytest.fixture
def stage(server: EmbeddedPostgres) -> Iterator[Stage]:
    """An event on that server, seen through a pool of little patience that has a connection."""
    with databases(server.url) as create:
        url = create()
        store = open_store(url, 1)
        store.upkeep.migrate()
        store.close()
        with impatient_stage(url) as stage:
            yield stage


@contextmanager
def impatient_stage(url: str) -> Iterator[Stage]:
    with Stage.at(url, connections=2) as stage:
        stage.store.close()
        stage.store = PostgresStore(create_pool(url, 2, answer_seconds=ANSWER_SECONDS))
        stage.fixture = stage.fixture.as_seen_from(stage.store)
        stage.fixture.cancel(stage.fixture.reserve(11, user="warm"))
        yield stage
        stage.store.close()


@contextmanager
def frozen(server: EmbeddedPostgres, stage: Stage) -> Iterator[None]:
    """The postmaster and every session are stopped until the end of the block."""
    backends = [row[0] for row in stage.door.execute("SELECT pid FROM pg_stat_activity WHERE pid <> pg_backend_pid()")]
    postmaster = int((server.location / "data" / "postmaster.pid").read_text().split()[0])
    processes = [*backends, stage.door.info.backend_pid, postmaster]
    try:
        for process in processes:
            with suppress(ProcessLookupError):  # a session that was closed just before
                os.kill(process, signal.SIGSTOP)
        yield
    finally:
        for process in processes:
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGCONT)


@contextmanager
def takes_at_most(seconds: float) -> Iterator[None]:
    start = time.monotonic()
    yield
    assert time.monotonic() - start < seconds


def test_a_request_that_begins_is_busy_after_one_wait(server: EmbeddedPostgres, stage: Stage) -> None:
    with frozen(server, stage), takes_at_most(ANSWER_SECONDS + SLACK), pytest.raises(ServiceBusy) as busy:
        stage.fixture.reserve(0)

    assert not isinstance(busy.value, TransactionConflict)
    assert stage.fixture.reserve(0).status is Status.PENDING
    assert stage.sessions() <= 2


def test_a_commit_without_answer_is_of_unknown_outcome(server: EmbeddedPostgres, stage: Stage) -> None:
    with stage.store.unit_of_work() as uow:
        uow.bookings.lock_seats(stage.fixture.request(0))
        uow.bookings.add(stage.fixture.new_booking(0))
        with frozen(server, stage), takes_at_most(ANSWER_SECONDS + SLACK), pytest.raises(CommitOutcomeUnknown):
            uow.commit()

    stage.fixture.reserve(1)
    stage.check_books()


def test_locked_rows_are_let_go_when_the_answer_does_not_come(server: EmbeddedPostgres, stage: Stage) -> None:
    booking = stage.fixture.reserve(0)
    with stage.store.unit_of_work() as uow:
        uow.bookings.lock(booking.booking_id)
        with frozen(server, stage), takes_at_most(ANSWER_SECONDS + SLACK), pytest.raises(ServiceBusy):
            uow.bookings.lock(booking.booking_id)

    assert stage.fixture.cancel(booking).status is Status.CANCELLED


def test_a_unit_of_work_that_is_left_does_not_wait_for_its_rollback(server: EmbeddedPostgres, stage: Stage) -> None:
    with ExitStack() as after:
        with stage.store.unit_of_work() as uow:
            uow.bookings.lock_seats(stage.fixture.request(0))
            after.enter_context(frozen(server, stage))
            start = time.monotonic()
        left_after = time.monotonic() - start

    assert left_after < ANSWER_SECONDS + SLACK
    assert stage.fixture.reserve(0).status is Status.PENDING


@pytest.mark.parametrize(
    "read",
    [
        lambda stage: stage.store.reads.now(),
        lambda stage: stage.store.reads.seats(stage.fixture.event.event_id),
        lambda stage: stage.store.reads.event(stage.fixture.event.event_id),
        lambda stage: stage.store.reads.bookings_of("ada", None, Page()),
        lambda stage: stage.store.outbox.unpublished(10),
    ],
    ids=["now", "seats", "event", "bookings", "outbox"],
)
def test_a_read_is_busy_after_one_wait(server: EmbeddedPostgres, stage: Stage, read: Callable[[Stage], object]) -> None:
    with frozen(server, stage), takes_at_most(ANSWER_SECONDS + SLACK), pytest.raises(ServiceBusy):
        read(stage)

    read(stage)


def test_whoever_asks_for_trouble_is_told_soon(server: EmbeddedPostgres, stage: Stage) -> None:
    with frozen(server, stage), takes_at_most(CONNECT_TIMEOUT + SLACK):
        assert not stage.store.upkeep.health().is_ready

    assert stage.store.upkeep.health().is_ready


def test_a_new_connection_is_not_awaited_for_ever(server: EmbeddedPostgres, stage: Stage) -> None:
    stage.store.close()
    with frozen(server, stage), takes_at_most(CONNECT_TIMEOUT + SLACK), pytest.raises(ServiceBusy):
        stage.fixture.reserve(0)
    gc.collect()  # what the error's traceback holds: the socket, whose login would keep the server from dropping tables

    assert stage.fixture.reserve(0).status is Status.PENDING


def test_a_callers_own_connection_waits_as_long_as_the_caller_wants(stage: Stage) -> None:
    with psycopg.connect(stage.url) as connection:
        [rows] = run(connection, [Statement("SELECT pg_sleep(%(s)s) IS NULL", {"s": ANSWER_SECONDS * 2})])
    assert rows == [(False,)]


def test_a_connection_that_was_given_up_is_closed(server: EmbeddedPostgres, stage: Stage) -> None:
    connection = stage.store.engine.raw_connection()
    driver = connection.driver_connection
    assert isinstance(driver, psycopg.Connection)
    with frozen(server, stage), pytest.raises(StatementFailed):
        run(driver, [Statement("SELECT 1", {})])
    assert driver.closed
    connection.invalidate()
