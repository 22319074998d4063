"""Groups on an event loop when connections die, servers freeze and callers leave.

Each test runs on the loop of asyncio and on that of uvloop, which `booking serve` uses.
"""

import asyncio
import os
import shutil
import socket
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

import pytest
import uvloop

from booking_core.application.reserve_group import GroupFailure, ReservationRequest, reserve_group_on
from booking_core.contracts.groups.requests import kinds, request_of
from booking_core.domain.booking import Booking
from booking_core.domain.errors import ServiceBusy, TransactionConflict
from booking_core.domain.policies import MAX_SEATS
from booking_core.domain.values import MAX_TEXT
from booking_core.ports import NewBooking
from booking_postgres.driver.connection import NoAnswer
from booking_postgres.driver.event_loop import EventLoopConnection
from booking_postgres.driver.pipeline import Statement, StatementFailed
from booking_postgres.driver.pool import create_pool
from booking_postgres.groups import PostgresGroups
from booking_postgres.store import PostgresStore
from booking_postgres_embedded import EmbeddedPostgres
from tests.integration.postgres.test_groups import LOAD, PAUSE
from tests.support.directories import open_directory
from tests.support.postgres.fixtures import chosen_binaries
from tests.support.postgres.stage import Stage, open_store
from tests.support.processes import free_port

LOOPS = {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}
Test = Callable[[], Awaitable[None]]
Run = Callable[[Test], None]
ANSWER_SECONDS = 0.4
SLEEP = Statement("SELECT pg_sleep(60) IS NULL", {})
ONE = Statement("SELECT 1", {})


@pytest.fixture(params=list(LOOPS))
def run(request: pytest.FixtureRequest) -> Run:
    """Runs a test on a new loop; it fails if a callback of the loop raises anything."""

    def run(test: Test) -> None:
        errors: list[dict[str, Any]] = []

        async def within_loop() -> None:
            asyncio.get_running_loop().set_exception_handler(lambda _, context: errors.append(context))
            await test()
            await asyncio.sleep(0)

        with asyncio.Runner(loop_factory=LOOPS[request.param]) as runner:
            runner.run(within_loop())
        assert errors == []

    return run


def groups_of(stage: Stage) -> PostgresGroups:
    return stage.store.groups_on_event_loop(asyncio.to_thread)


def connection_of(stage: Stage) -> EventLoopConnection:
    return EventLoopConnection(stage.store.engine.raw_connection(), asyncio.get_running_loop())


def requests_of(stage: Stage, *places: int) -> list[ReservationRequest]:
    return [request_of(stage.fixture, place, user=f"user-{place}") for place in places]


def terminate(stage: Stage) -> None:
    """End the store's sessions; they are gone when this returns, and the loop has not run meanwhile."""
    stage.door.execute(
        "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
        " WHERE datname = current_database() AND application_name = 'booking-core'"
    )


async def settled() -> None:
    """The loop has seen what the sockets have."""
    for _ in range(3):
        await asyncio.sleep(0.02)


class Failures(list[GroupFailure]):
    def add(self, failure: GroupFailure, _: Exception) -> None:
        self.append(failure)


class TestLostConnections:
    def test_killed_before_a_group_it_is_replaced_and_the_group_repeats(self, stage: Stage, run: Run) -> None:
        async def test() -> None:
            groups, failures = groups_of(stage), Failures()
            await reserve_group_on(groups, requests_of(stage, 0, 1))
            terminate(stage)

            outcomes = await reserve_group_on(groups, requests_of(stage, 2, 3), on_failure=failures.add)

            assert kinds(outcomes) == [Booking, Booking]
            assert failures == [GroupFailure.REPEATED]
            groups.close()

        run(test)
        stage.check_books()

    def test_seen_to_be_gone_while_idle_it_is_replaced_without_a_failure(self, stage: Stage, run: Run) -> None:
        async def test() -> None:
            groups, failures = groups_of(stage), Failures()
            await reserve_group_on(groups, requests_of(stage, 0, 1))
            terminate(stage)
            await settled()

            outcomes = await reserve_group_on(groups, requests_of(stage, 2, 3), on_failure=failures.add)

            assert kinds(outcomes) == [Booking, Booking]
            assert failures == []
            assert stage.sessions() == 1
            groups.close()

        run(test)

    def test_seen_to_be_gone_between_the_round_trips_nothing_is_unknown(self, stage: Stage, run: Run) -> None:
        """No COMMIT was sent, so the group may be repeated."""

        async def test() -> None:
            groups = groups_of(stage)
            async with groups.transaction() as transaction:
                await transaction.lock_group([stage.fixture.request(0)])
                terminate(stage)
                await settled()
                with pytest.raises(TransactionConflict):
                    await transaction.add_group([NewBooking(booking=stage.fixture.new_booking(0))])

            assert kinds(await reserve_group_on(groups, requests_of(stage, 0, 1))) == [Booking, Booking]
            groups.close()

        run(test)
        stage.check_books()

    def test_killed_within_a_round_trip_the_group_repeats(self, stage: Stage, run: Run) -> None:
        stage.rewrite_function(PAUSE, name=LOAD)

        async def test() -> None:
            groups, failures = groups_of(stage), Failures()
            with stage.outsider() as holder:
                holder.execute("SELECT pg_advisory_xact_lock(7)")
                group = asyncio.create_task(reserve_group_on(groups, requests_of(stage, 0, 1), on_failure=failures.add))
                waiting = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
                while not stage.ask(waiting):
                    await asyncio.sleep(0.01)
                terminate(stage)

            assert kinds(await group) == [Booking, Booking]
            assert failures == [GroupFailure.REPEATED]
            assert stage.sessions() == 1
            groups.close()

        run(test)
        stage.check_books()

    def test_a_lost_prepared_statement_repeats_the_group_without_preparing(self, stage: Stage, run: Run) -> None:
        async def test() -> None:
            groups, failures = groups_of(stage), Failures()
            await reserve_group_on(groups, requests_of(stage, 0, 1))
            connection = await groups.take()
            [_] = await connection.run([Statement("DEALLOCATE ALL", {}, plans=False)], begin=False)
            groups.give_back(connection)

            outcomes = await reserve_group_on(groups, requests_of(stage, 2, 3), on_failure=failures.add)

            assert kinds(outcomes) == [Booking, Booking]
            assert failures == [GroupFailure.REPEATED]
            groups.close()

        run(test)
        stage.check_books()

    def test_an_idle_connection_that_was_closed_costs_no_cpu(self, stage: Stage, run: Run) -> None:
        async def test() -> None:
            groups = groups_of(stage)
            await reserve_group_on(groups, requests_of(stage, 0, 1))
            terminate(stage)
            await settled()
            began = time.process_time()
            await asyncio.sleep(0.5)

            assert time.process_time() - began < 0.1
            groups.close()

        run(test)

    def test_after_an_outage_groups_work_again(self, run: Run) -> None:
        directory = open_directory()
        server = EmbeddedPostgres(directory, port=free_port(), durable=False, binaries=chosen_binaries())
        try:
            server.start()
            store = open_store(server.url, 1)
            store.upkeep.migrate()
            store.close()
            with Stage.at(server.url, connections=2) as stage:
                before, during, after = (requests_of(stage, *places) for places in ((0, 1), (2, 3), (4, 5)))

                async def test() -> None:
                    groups = groups_of(stage)
                    assert kinds(await reserve_group_on(groups, before)) == [Booking, Booking]
                    await asyncio.to_thread(server.stop)
                    for _ in range(5):
                        outcomes = await reserve_group_on(groups, during)
                        assert all(isinstance(outcome, ServiceBusy) for outcome in outcomes)
                    await asyncio.to_thread(server.start)

                    assert kinds(await reserve_group_on(groups, after)) == [Booking, Booking]
                    groups.close()

                run(test)
                with suppress(Exception):
                    stage.door.close()
        finally:
            server.destroy()
            shutil.rmtree(directory)


class TestSockets:
    def test_the_number_of_a_lost_socket_belongs_to_its_next_owner(self, stage: Stage, run: Run) -> None:
        """The number of a closed socket is the next to be given out; its new owner must go on to hear of its data."""

        async def test() -> None:
            loop, connection = asyncio.get_running_loop(), connection_of(stage)
            number, heard = connection.driver.pgconn.socket, asyncio.Event()
            terminate(stage)
            await settled()
            assert connection.is_lost
            left, right = socket.socketpair()
            with left, right:
                if left.fileno() != number:
                    os.dup2(left.fileno(), number)
                loop.add_reader(number, heard.set)
                connection.release()
                right.send(b"x")

                await asyncio.wait_for(heard.wait(), 2)
                loop.remove_reader(number)
                if left.fileno() != number:
                    os.close(number)

        run(test)

    def test_what_is_larger_than_the_buffers_is_sent_when_the_server_reads(self, stage: Stage, run: Run) -> None:
        text = "x" * 30_000_000

        async def test() -> None:
            connection = connection_of(stage)
            statement = Statement("SELECT length(%(text)s), %(text)s", {"text": text})
            [[(length, sent)]] = await connection.run([statement])

            assert (length, sent == text) == (len(text), True)
            assert await connection.run([ONE], commit=True) == [[(1,)]]
            connection.release()

        run(test)

    def test_a_group_of_the_largest_requests(self, stage: Stage, run: Run) -> None:
        stage.set_up(seats=64 * MAX_SEATS)
        requests = [
            request_of(
                stage.fixture,
                *range(member * MAX_SEATS, (member + 1) * MAX_SEATS),
                user=f"{member:03}" + '\\"' * ((MAX_TEXT - 3) // 2),
            )
            for member in range(64)
        ]

        async def test() -> None:
            groups = groups_of(stage)
            assert kinds(await reserve_group_on(groups, requests)) == [Booking] * 64
            groups.close()

        run(test)
        stage.check_books()


class TestLeftWithinARoundTrip:
    def test_a_released_connection_leaves_nothing_behind(self, stage: Stage, run: Run) -> None:
        stage.store.close()
        stage.store = PostgresStore(create_pool(stage.url, 2, answer_seconds=ANSWER_SECONDS))

        async def test() -> None:
            connection = connection_of(stage)
            answer = connection.run([SLEEP])
            connection.release()
            await asyncio.sleep(ANSWER_SECONDS + 0.1)

            assert not answer.done()
            assert stage.store.engine.pool.checkedout() == 0  # type: ignore[attr-defined]

        run(test)

    def test_a_cancelled_group_gives_its_connection_up(self, stage: Stage, run: Run) -> None:
        stage.store.close()
        stage.store = PostgresStore(create_pool(stage.url, 2, answer_seconds=ANSWER_SECONDS))
        stage.fixture = stage.fixture.as_seen_from(stage.store)
        stage.rewrite_function(PAUSE, name=LOAD)

        async def test() -> None:
            groups = groups_of(stage)
            with stage.outsider() as holder:
                holder.execute("SELECT pg_advisory_xact_lock(7)")
                group = asyncio.create_task(reserve_group_on(groups, requests_of(stage, 0, 1)))
                waiting = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
                while not stage.ask(waiting):
                    await asyncio.sleep(0.01)
                group.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await group
                await asyncio.sleep(ANSWER_SECONDS + 0.1)

            assert stage.store.engine.pool.checkedout() == 0  # type: ignore[attr-defined]
            assert kinds(await reserve_group_on(groups, requests_of(stage, 0, 1))) == [Booking, Booking]
            groups.close()

        run(test)
        stage.check_books()

    def test_an_answer_that_is_late_ends_the_round_trip_once(self, stage: Stage, run: Run) -> None:
        stage.store.close()
        stage.store = PostgresStore(create_pool(stage.url, 2, answer_seconds=ANSWER_SECONDS))

        async def test() -> None:
            connection = connection_of(stage)
            began = time.monotonic()
            with pytest.raises(StatementFailed) as failed:
                await connection.run([SLEEP])

            assert isinstance(failed.value.error, NoAnswer)
            assert ANSWER_SECONDS <= time.monotonic() - began < ANSWER_SECONDS + 1
            assert connection.is_lost
            connection.release()
            await asyncio.sleep(ANSWER_SECONDS)

        run(test)
