"""Never more connections than were granted, and none is lost, whatever goes wrong on them."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from typing import Any
from uuid import uuid4

import pytest

from booking_core.application import cancel_event, expire, get_booking, list_bookings, list_seats
from booking_core.contracts.store.fixture import in_parallel
from booking_core.domain.commands import CancelEvent
from booking_core.domain.errors import ServiceBusy
from booking_core.ports import Page
from booking_postgres.driver.pipeline import Statement
from booking_postgres.driver.pool import create_pool
from booking_postgres.store import PostgresStore
from tests.support.postgres.stage import CONNECTIONS, Stage


def test_40_threads_share_the_connections(stage: Stage) -> None:
    stage.set_up(seats=200)
    seen: list[int] = []
    over = threading.Event()

    def watch() -> None:
        while not over.is_set():
            seen.append(stage.sessions())

    def customer(number: int) -> None:
        for place in range(number * 5, number * 5 + 5):
            booking = stage.fixture.reserve(place, user=f"user-{place}")
            stage.fixture.pay(booking)
            get_booking(booking.user_id, booking.booking_id, store=stage.store)
            list_seats(booking.event_id, store=stage.store)
            stage.fixture.cancel(booking)

    with ThreadPoolExecutor(1) as watcher:
        watching = watcher.submit(watch)
        outcomes = in_parallel([partial(customer, number) for number in range(40)])
        over.set()
        watching.result()

    assert outcomes == [None] * 40
    assert 2 <= max(seen) <= CONNECTIONS
    stage.check_books()


def test_errors_of_every_kind_lose_no_connection(stage: Stage) -> None:
    held = stage.fixture.reserve(0, user="grace")

    def broken_statement() -> None:
        with stage.store.unit_of_work() as uow:
            uow.transaction.run([_statement("SELECT 1 / 0")])

    def fault_of_the_caller() -> None:
        with stage.store.unit_of_work() as uow:
            uow.bookings.lock(held.booking_id)
            raise KeyError

    def killed() -> None:
        with stage.store.unit_of_work() as uow:
            uow.bookings.lock(held.booking_id)
            pid = uow.transaction.run([_statement("SELECT pg_backend_pid()")])[0][0][0]
            stage.door.execute("SELECT pg_terminate_backend(%s, 5000)", [pid])
            uow.bookings.lock(held.booking_id)

    def left_without_commit() -> None:
        with stage.store.unit_of_work() as uow:
            uow.bookings.lock_seats(stage.fixture.request(1))

    def waited_in_vain() -> None:
        with stage.outsider() as outsider:
            outsider.execute("SELECT 1 FROM booking.customers WHERE user_id = 'grace' FOR UPDATE")
            stage.fixture.reserve(3, user="grace")

    refused = partial(stage.fixture.reserve, 0)
    trouble: list[Callable[[], Any]] = [broken_statement, fault_of_the_caller, killed, left_without_commit, refused]
    for job in [*trouble * CONNECTIONS, waited_in_vain]:
        with suppress(Exception):
            job()

    # All of them at once again: each unit of work has a connection of its own.
    together = threading.Barrier(CONNECTIONS, timeout=20)

    def use_one(number: int) -> None:
        with stage.store.unit_of_work() as uow:
            uow.bookings.lock_seats(stage.fixture.request(number, user=f"user-{number}"))
            together.wait(60)

    assert in_parallel([partial(use_one, number) for number in range(CONNECTIONS)]) == [None] * CONNECTIONS
    assert stage.sessions() <= CONNECTIONS
    assert stage.ask("SELECT count(*) FROM pg_stat_activity WHERE state LIKE 'idle in transaction%%'", []) == 0


def test_who_gets_no_connection_in_time_is_told_so(stage: Stage) -> None:
    stage.store.close()
    stage.store = PostgresStore(create_pool(stage.url, CONNECTIONS, pool_seconds=0.05))
    stage.set_up()
    together = threading.Barrier(CONNECTIONS + 1, timeout=20)
    done = threading.Event()

    def keep() -> None:
        with stage.store.unit_of_work():
            together.wait(60)
            done.wait(timeout=20)

    with ThreadPoolExecutor(CONNECTIONS) as threads:
        for _ in range(CONNECTIONS):
            threads.submit(keep)
        together.wait(60)
        try:
            for attempt in (partial(stage.fixture.reserve, 0), stage.store.reads.now):
                with pytest.raises(ServiceBusy):
                    attempt()
        finally:
            done.set()
    assert stage.fixture.reserve(0).user_id == "ada"


def test_one_connection_is_enough_for_every_use_case(database_url: str) -> None:
    """The commands have one (design, section 3): nothing may need a second while it has the first."""
    with Stage.at(database_url, connections=1) as stage:
        stage.store.engine.pool._timeout = 0.2  # type: ignore[attr-defined]
        fixture = stage.fixture
        booking = fixture.reserve(0)
        fixture.start_payment(booking)
        fixture.pay(booking)
        fixture.cancel(booking)
        late = fixture.reserve(0, 1)
        stage.age(601)
        fixture.reserve(0)
        assert expire(store=stage.store).expired == 0
        assert list_bookings("ada", None, Page(), store=stage.store).total == 3
        assert stage.store.reads.booking(late.booking_id) is not None
        records = stage.store.outbox.unpublished(100)
        stage.store.outbox.mark_published(records)
        stage.store.upkeep.prune(idempotency_hours=0, retention_days=0, limit=10)
        stage.store.reads.statistics()
        command = CancelEvent(
            event_id=fixture.event.event_id, reason="rain", administrator="admin", correlation_id=str(uuid4())
        )
        assert cancel_event(command, store=stage.store).bookings == 1
        assert stage.sessions() == 1


def _statement(sql: str) -> Statement:
    return Statement(sql, {})
