"""Groups of reservations in PostgreSQL: what the statements skip, wait for and see, and connections that die."""

import random
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from time import monotonic
from typing import Any

import psycopg
import pytest
from attrs import evolve
from sqlalchemy import Engine, create_engine, text

from booking_core.application import ReplayedResponse, reserve_group, reserve_many
from booking_core.contracts.groups.requests import KEY, all_of, grouped, kinds, request_of, with_key
from booking_core.contracts.store.fixture import in_parallel, refused
from booking_core.domain.booking import Booking
from booking_core.domain.errors import (
    CommitOutcomeUnknown,
    PendingLimitReached,
    SeatAlreadyReserved,
    ServiceBusy,
    TransactionConflict,
)
from booking_core.domain.group import Deferral, MemberFacts
from booking_core.ports import NewBooking
from tests.integration.postgres.cutting_proxy import Cut, CuttingProxy, proxy_before
from tests.support.postgres.stage import Stage, open_store, until

LOAD = "lock_and_load_many_2"
PAUSE = ("now := clock_timestamp();", "PERFORM pg_advisory_xact_lock(7); now := clock_timestamp();")
"""The group stops after its locks and before its facts, while another session holds the advisory lock."""


@contextmanager
def paused(stage: Stage, *requests: Any) -> Iterator[Callable[[], list[Any]]]:
    """The group runs and stands still before it reads the facts; the call lets it go on and returns its outcomes."""
    with ThreadPoolExecutor(1) as threads, psycopg.connect(stage.url) as holder:
        holder.execute("SELECT pg_advisory_lock(7)")
        running = threads.submit(grouped, stage.fixture, *requests)
        waiting = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
        until(lambda: stage.ask(waiting) == 1, "the group stands still")

        def go_on() -> list[Any]:
            holder.execute("SELECT pg_advisory_unlock(7)")
            return running.result()

        try:
            yield go_on
        finally:
            holder.close()


@pytest.fixture(params=[False, True], ids=["in a thread", "on an event loop"])
def stage(request: pytest.FixtureRequest, database_url: str) -> Iterator[Stage]:
    """The stage; groups run in the calling thread, and on an event loop."""
    with Stage.at(database_url, on_event_loop=request.param) as stage:
        yield stage


@pytest.fixture
def slow(stage: Stage) -> Stage:
    """The stage with a group function that can be stopped, and lock waits that outlast a test's arrangements."""
    stage.store.timeouts = evolve(stage.store.timeouts, reservation_lock="5s")
    stage.rewrite_function(PAUSE, name=LOAD)
    return stage


class TestWhatAGroupSees:
    def test_a_claim_that_is_gone_at_the_last_read_defers_its_member(self, slow: Stage) -> None:
        held = slow.fixture.reserve(0, user="grace")
        with paused(slow, request_of(slow.fixture, 0), request_of(slow.fixture, 1)) as go_on:
            slow.fixture.cancel(held)
            outcomes = go_on()

        assert kinds(outcomes) == [Deferral.SEAT_LOCKED_OR_UNKNOWN, Booking] or kinds(outcomes) == [
            Deferral.USER_LOCKED,
            Booking,
        ]
        assert slow.fixture.seat_status(0).value == "AVAILABLE"

    def test_a_key_stored_while_the_group_took_its_locks_is_replayed(self, slow: Stage) -> None:
        slow.fixture.cancel(slow.fixture.reserve(5))
        with slow.store.unit_of_work() as first, slow.outsider() as holder:
            holder.execute("SELECT FROM booking.customers WHERE user_id = 'ada' FOR UPDATE")
            with paused(slow, with_key(slow.fixture, 0), request_of(slow.fixture, 1, user="grace")) as go_on:
                booking = slow.fixture.new_booking(0)
                first.bookings.add_group([NewBooking(booking=booking, key=KEY, response=str(booking.booking_id))])
                first.commit()
                outcomes = go_on()

        assert outcomes[0] == ReplayedResponse(text=str(booking.booking_id))
        assert isinstance(outcomes[1], Booking)

    def test_the_closure_of_the_event_is_seen_after_the_seat_locks(self, slow: Stage) -> None:
        with paused(slow, request_of(slow.fixture, 0), request_of(slow.fixture, 1)) as go_on:
            slow.door.execute(
                "UPDATE booking.events SET closed_at = now(), close_reason = 'r', closed_by = 'a',"
                " close_correlation_id = 'c'"
            )
            outcomes = go_on()

        assert [outcome.code for outcome in outcomes] == ["EVENT_NOT_ON_SALE"] * 2

    def test_the_clock_is_read_after_the_locks(self, slow: Stage) -> None:
        with paused(slow, request_of(slow.fixture, 0), request_of(slow.fixture, 1)) as go_on:
            between = slow.ask("SELECT clock_timestamp()")
            outcomes = go_on()

        assert all(outcome.created_at > between for outcome in outcomes)


class TestWhatAGroupLocks:
    def test_seats_of_a_member_whose_user_is_locked_stay_free(self, stage: Stage) -> None:
        stage.fixture.cancel(stage.fixture.reserve(5))
        with stage.outsider() as holder, stage.store.unit_of_work() as group:
            holder.execute("SELECT FROM booking.customers WHERE user_id = 'ada' FOR UPDATE")
            first, second = group.bookings.lock_group(
                [stage.fixture.request(0), stage.fixture.request(1, user="grace")]
            )

            assert isinstance(first, MemberFacts)
            assert (first.user_is_locked, dict(first.seats)) == (False, {})
            assert isinstance(second, MemberFacts)
            assert second.user_is_locked
            assert self._is_free(stage, 0)
            assert not self._is_free(stage, 1)

    def test_a_user_whose_row_was_updated_is_skipped_at_once(self, stage: Stage) -> None:
        stage.fixture.cancel(stage.fixture.reserve(5))
        with stage.outsider() as holder:
            holder.execute("UPDATE booking.customers SET user_id = user_id WHERE user_id = 'ada'")
            began = monotonic()
            outcomes = grouped(stage.fixture, *[request_of(stage.fixture, place) for place in range(3)])
            lasted = monotonic() - began

        assert outcomes == [Deferral.USER_LOCKED] * 3
        assert lasted < 0.1

    def test_users_seen_for_the_first_time_are_waited_for_20_ms(self, stage: Stage) -> None:
        with stage.outsider() as holder:
            holder.execute("INSERT INTO booking.customers VALUES ('new')")
            with stage.store.unit_of_work() as group:
                began = monotonic()
                requests = [stage.fixture.request(0, user="new"), stage.fixture.request(1, user="other")]
                facts = group.bookings.lock_group(requests)
                lasted = monotonic() - began

        assert [isinstance(each, MemberFacts) and each.user_is_locked for each in facts] == [False, False]
        assert 0.015 < lasted < 0.2
        # Nothing of the wait remains: the next group knows both or makes them.
        assert (
            kinds(grouped(stage.fixture, *(request_of(stage.fixture, n, user=f"u{n}") for n in range(2))))
            == [Booking] * 2
        )

    def test_without_skip_locked_a_group_would_wait(self, stage: Stage) -> None:
        stage.fixture.cancel(stage.fixture.reserve(5))
        change = ("FOR UPDATE SKIP LOCKED) s", "FOR UPDATE) s")
        requests = [request_of(stage.fixture, 0), request_of(stage.fixture, 1, user="grace")]
        with stage.locked_seats(0):
            assert kinds(grouped(stage.fixture, *requests)) == [Deferral.SEAT_LOCKED_OR_UNKNOWN, Booking]
            stage.rewrite_function(change, name=LOAD)

            assert all(isinstance(outcome, ServiceBusy) for outcome in grouped(stage.fixture, *requests))

    def test_the_timeouts_end_with_the_transaction(self, stage: Stage) -> None:
        for place in range(3):
            grouped(stage.fixture, *(request_of(stage.fixture, place, user=f"u-{place}-{n}") for n in range(2)))

        with stage.store.engine.connect() as connection:
            assert connection.exec_driver_sql("SHOW lock_timeout").scalar() == "0"

    def _is_free(self, stage: Stage, place: int) -> bool:
        with stage.outsider() as other:
            query = "SELECT 1 FROM booking.seats WHERE seat_id = %s FOR UPDATE SKIP LOCKED"
            return other.execute(query, list(stage.fixture.ids(place))).fetchone() is not None


class TestLostConnections:
    def test_a_group_whose_reply_to_commit_is_lost_is_found(self, stage: Stage) -> None:
        with self._through_proxy(stage) as proxy:
            proxy.cut = Cut.BEFORE_REPLY
            outcomes = all_of(stage.fixture, *self._requests(stage))

        assert proxy.cuts == 1
        assert kinds(outcomes) == [Booking, SeatAlreadyReserved, Booking]
        assert stage.ask("SELECT count(*) FROM booking.bookings") == 2
        stage.check_books()

    def test_a_group_that_the_server_never_saw_is_unknown(self, stage: Stage) -> None:
        with self._through_proxy(stage) as proxy:
            proxy.cut = Cut.BEFORE_COMMIT
            outcomes = all_of(stage.fixture, *self._requests(stage))

            assert kinds(outcomes) == [CommitOutcomeUnknown] * 3
            assert stage.ask("SELECT count(*) FROM booking.bookings") == 0
            assert kinds(all_of(stage.fixture, *self._requests(stage))) == [Booking, SeatAlreadyReserved, Booking]
        stage.check_books()

    def test_a_commit_delayed_past_the_look_up_is_unknown_and_nothing_goes_alone(self, stage: Stage) -> None:
        with self._through_proxy(stage) as proxy:
            proxy.cut = Cut.DELAYED
            outcomes = all_of(stage.fixture, *self._requests(stage))

            assert kinds(outcomes) == [CommitOutcomeUnknown] * 3
            assert stage.ask("SELECT count(*) FROM booking.bookings") == 0
            proxy.deliver.set()
            until(lambda: stage.ask("SELECT count(*) FROM booking.bookings") == 2, "the delayed commit arrives")
        # Gone alone meanwhile, the refused one or a second booking of the others would stand beside them.
        users = stage.door.execute("SELECT user_id FROM booking.bookings ORDER BY 1").fetchall()
        assert users == [("ada",), ("alan",)]
        stage.check_books()

    def test_a_connection_lost_before_the_load_repeats_the_group(self, stage: Stage) -> None:
        grouped(stage.fixture, *self._requests(stage)[:1], request_of(stage.fixture, 3, user="edsger"))
        stage.door.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
            " WHERE datname = current_database() AND application_name = 'booking-core'"
        )

        outcomes = grouped(stage.fixture, request_of(stage.fixture, 6), request_of(stage.fixture, 7))

        assert kinds(outcomes) == [Booking, Booking]

    def _requests(self, stage: Stage) -> list[Any]:
        users = (("ada", 0), ("grace", 0), ("alan", 1))
        return [request_of(stage.fixture, place, user=user) for user, place in users]

    @contextmanager
    def _through_proxy(self, stage: Stage) -> Iterator[CuttingProxy]:
        with proxy_before(stage.url) as (proxy, url):
            stage.store.close()
            stage.store = open_store(url)
            stage.fixture = stage.fixture.as_seen_from(stage.store)
            try:
                yield proxy
            finally:
                proxy.deliver.set()
                stage.store.close()


class TestInTheCallersTransaction:
    @pytest.fixture
    def engine(self, stage: Stage) -> Iterator[Engine]:
        engine = create_engine(stage.url.replace("postgresql://", "postgresql+psycopg://", 1))
        yield engine
        engine.dispose()

    def test_nothing_goes_alone_and_all_is_the_callers_to_commit(self, stage: Stage, engine: Engine) -> None:
        stage.fixture.cancel(stage.fixture.reserve(5))
        requests = [
            request_of(stage.fixture, 0),
            request_of(stage.fixture, 0, user="grace"),
            request_of(stage.fixture, 1, user="grace"),
            with_key(stage.fixture, 2),
        ]
        before = stage.ask("SELECT count(*) FROM booking.bookings")
        with stage.locked_seats(1), engine.connect() as connection:
            connection.exec_driver_sql("SET TimeZone TO 'America/New_York'")
            connection.exec_driver_sql("SET LOCAL lock_timeout = '777ms'")
            outcomes = reserve_many(requests, store=stage.store.on(connection))

            assert kinds(outcomes) == [
                Booking,
                SeatAlreadyReserved,
                Deferral.SEAT_LOCKED_OR_UNKNOWN,
                Booking,
            ]
            assert connection.exec_driver_sql("SHOW lock_timeout").scalar() == "777ms"
            assert stage.ask("SELECT count(*) FROM booking.bookings") == before
            connection.commit()

        assert stage.ask("SELECT count(*) FROM booking.bookings") == before + 2
        assert stage.fixture.stored(outcomes[0]).status.value == "PENDING"  # type: ignore[arg-type]
        stage.check_books()

    def test_a_group_of_refusals_leaves_the_transaction_usable_and_unlocked(self, stage: Stage, engine: Engine) -> None:
        stage.fixture.reserve(0, user="grace")
        stage.fixture.cancel(stage.fixture.reserve(5))
        with engine.connect() as connection:
            store = stage.store.on(connection)
            requests = [request_of(stage.fixture, 0), request_of(stage.fixture, 0, 1, user="alan")]

            assert kinds(reserve_many(requests, store=store)) == [SeatAlreadyReserved] * 2
            assert connection.execute(text("SELECT 1")).scalar() == 1
            assert stage.fixture.reserve(1).status.value == "PENDING"
            connection.commit()

    def test_a_conflict_is_the_callers(self, stage: Stage, engine: Engine) -> None:
        stage.rewrite_function(
            ("now := clock_timestamp();", "RAISE EXCEPTION 'x' USING ERRCODE = 'serialization_failure';"), name=LOAD
        )
        with engine.connect() as connection:
            store = stage.store.on(connection)
            requests = [request_of(stage.fixture, 0), request_of(stage.fixture, 1)]

            refused(TransactionConflict, lambda: reserve_many(requests, store=store))
            assert connection.execute(text("SELECT 1")).scalar() == 1


@pytest.mark.parametrize("rounds", [3, pytest.param(40, marks=pytest.mark.soak)])
def test_groups_and_single_requests_with_keys_and_swapped_seats_never_deadlock(stage: Stage, rounds: int) -> None:
    """Groups, single requests and replays of the same users, keys and seats, in every order, all at once."""
    for turn in range(rounds):
        stage.set_up(seats=12)
        draws = random.Random(turn)
        keys = [evolve(KEY, user_id=f"user-{turn}-{n}", key=f"{turn}-{n}") for n in range(6)]

        def requests(draws: random.Random = draws, keys: list[Any] = keys) -> list[Any]:
            made = [with_key(stage.fixture, *draws.sample(range(12), 2), key=key) for key in keys]
            draws.shuffle(made)
            return made

        def single(request: Any) -> Any:
            return reserve_many([request], store=stage.store)

        jobs: list[Callable[[], Any]] = [partial(reserve_many, requests(), store=stage.store) for _ in range(5)]
        jobs += [partial(single, request) for request in requests()]

        outcomes = [outcome for each in in_parallel(jobs) for outcome in (each if isinstance(each, list) else [each])]

        # The same key with other seats has the same fingerprint here: it is replayed.
        allowed = (Booking, ReplayedResponse, SeatAlreadyReserved, PendingLimitReached, ServiceBusy)
        in_progress = [outcome for outcome in outcomes if getattr(outcome, "code", "") == "IDEMPOTENCY_IN_PROGRESS"]
        assert all(isinstance(outcome, allowed) or outcome in in_progress for outcome in outcomes), outcomes
        for key in keys:
            assert stage.ask("SELECT count(*) FROM booking.bookings WHERE user_id = %s", [key.user_id]) <= 1
    stage.check_books()
    assert stage.deadlocks() == 0


@pytest.mark.parametrize(
    "check", ["CHECK (user_id <> 'u0')", "CHECK (user_id <> 'u0' OR pg_column_size(repeat(user_id, 2000000000)) > 0)"]
)
def test_a_row_that_the_database_refuses_fails_by_itself(stage: Stage, check: str) -> None:
    """The second check exceeds a limit of the program, which the driver counts among the operational errors."""
    stage.door.execute(f"ALTER TABLE booking.bookings ADD {check}")
    requests = [request_of(stage.fixture, n, user=f"u{n}") for n in range(5)]

    assert kinds(reserve_group(requests, store=stage.store)) == [Deferral.WRITE_FAILED, *[Booking] * 4]
    [refusal] = reserve_many(requests[:1], store=stage.store)

    assert isinstance(refusal, psycopg.Error)
    stage.check_books()
