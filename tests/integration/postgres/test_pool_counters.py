"""What the store says of its connections: how long they are lent, and who had to wait for one."""

import threading
import time

import pytest
from attrs import evolve

from booking_core.domain.errors import ServiceBusy
from booking_core.messages.trace_context import traced_as
from booking_core.ports import ConnectionUse
from booking_postgres.driver.pool import create_pool
from booking_postgres.store import PostgresStore
from tests.support.postgres.stage import Stage, open_store

TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

_END = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'booking-core'"


def use_of(store: PostgresStore) -> ConnectionUse:
    use = store.upkeep.connection_use()
    assert use is not None
    return use


def since(before: ConnectionUse, after: ConnectionUse) -> tuple[float, int, float, int]:
    return (
        after.used_seconds - before.used_seconds,
        after.waits - before.waits,
        after.waited_seconds - before.waited_seconds,
        after.refused - before.refused,
    )


def test_a_connection_is_used_from_its_lending_to_its_return(stage: Stage) -> None:
    store = stage.store
    store.reads.now()
    before = use_of(store)

    with store.unit_of_work():
        time.sleep(0.05)
    store.reads.now()

    used, waits, waited, refused = since(before, use_of(store))
    assert 0.05 <= used < 1
    assert (waits, waited, refused) == (0, 0, 0), "a free connection is no wait"
    assert use_of(store).most == 12


def test_waits_for_a_connection_are_counted_and_refusals_too(stage: Stage) -> None:
    # A busy machine's pauses are shorter than 20 ms; a pool that gives up after 0.2 s is no other than one after 5 s.
    store = PostgresStore(create_pool(stage.url, 1, pool_seconds=0.2), wait_seconds=0.02)
    try:
        store.reads.now()
        before = use_of(store)
        with store.unit_of_work():
            waiting = threading.Thread(target=store.reads.now)
            waiting.start()
            time.sleep(0.05)
        waiting.join(60)
        _, waits, waited, refused = since(before, use_of(store))
        assert (waits, refused) == (1, 0)
        assert 0.02 <= waited < 1

        with store.unit_of_work(), pytest.raises(ServiceBusy):
            store.reads.now()
        _, waits, waited, refused = since(before, use_of(store))
        assert (waits, refused) == (2, 1)
        assert waited >= 0.2
    finally:
        store.close()


def test_a_connection_that_is_thrown_away_was_used_until_then(stage: Stage) -> None:
    store = stage.store
    before = use_of(store)

    with store.unit_of_work() as uow:
        uow.bookings.lock_live(stage.fixture.event.event_id, 1)
        stage.door.execute(_END)
        time.sleep(0.05)
        with pytest.raises(ServiceBusy):
            uow.bookings.lock_live(stage.fixture.event.event_id, 1)

    assert since(before, use_of(store))[0] >= 0.05


def test_a_trace_ends_with_the_transaction_it_was_said_in(stage: Stage) -> None:
    """Also on the very connection that it was said on, where the setting then reads as an empty text."""
    store = open_store(stage.url, connections=1)
    fixture = evolve(stage.fixture, store=store)
    try:
        with traced_as(TRACE):
            fixture.reserve(0)
        fixture.reserve(1)
    finally:
        store.close()

    rows = stage.door.execute("SELECT traceparent FROM booking.outbox ORDER BY recorded_at").fetchall()
    assert rows == [(TRACE,), (None,)]


def test_in_a_callers_transaction_a_trace_is_kept_too(stage: Stage) -> None:
    with stage.store.engine.connect() as connection, connection.begin(), traced_as(TRACE):
        evolve(stage.fixture, store=stage.store.on(connection)).reserve(0)

    assert stage.ask("SELECT traceparent FROM booking.outbox") == TRACE
