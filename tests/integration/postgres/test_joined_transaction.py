"""Use cases inside a transaction of the caller's: `PostgresStore.on(connection)`."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest
from sqlalchemy import Connection, Engine, create_engine, text

from booking_core.application import get_booking
from booking_core.contracts.store.fixture import StoreFixture, refused
from booking_core.domain.errors import SeatAlreadyReserved, ServiceBusy, TransactionConflict, WrongIsolationLevel
from booking_core.domain.lifecycle import Status
from tests.support.postgres.stage import Stage, until


@pytest.fixture
def engine(stage: Stage) -> Iterator[Engine]:
    """The caller's engine, and a table of the caller's."""
    stage.door.execute("CREATE TABLE orders (note text)")
    engine = create_engine(stage.url.replace("postgresql://", "postgresql+psycopg://", 1))
    yield engine
    engine.dispose()


def order(connection: Connection, note: str) -> None:
    connection.execute(text("INSERT INTO orders VALUES (:note)"), {"note": note})


def orders(stage: Stage) -> list[str]:
    return [row[0] for row in stage.door.execute("SELECT note FROM orders ORDER BY note")]


def joined(stage: Stage, connection: Connection) -> StoreFixture:
    """The scenery, through the store in the caller's transaction."""
    return stage.fixture.as_seen_from(stage.store.on(connection))


def bookings(stage: Stage) -> Any:
    return stage.ask("SELECT count(*) FROM booking.bookings")


class TestTogether:
    def test_they_commit_together_and_nobody_sees_it_before(self, stage: Stage, engine: Engine) -> None:
        with engine.begin() as connection:
            order(connection, "1")
            booking = joined(stage, connection).reserve(0)
            assert get_booking("ada", booking.booking_id, store=stage.store.on(connection)).status is Status.PENDING
            order(connection, "2")
            assert (bookings(stage), orders(stage)) == (0, [])

        assert (bookings(stage), orders(stage)) == (1, ["1", "2"])
        stage.check_books()

    def test_they_roll_back_together(self, stage: Stage, engine: Engine) -> None:
        with engine.connect() as connection:
            order(connection, "1")
            made = joined(stage, connection)
            made.pay(made.reserve(0))
            connection.rollback()

        assert (bookings(stage), orders(stage)) == (0, [])

    def test_every_use_case_can_run_in_one_transaction(self, stage: Stage, engine: Engine) -> None:
        with engine.begin() as connection:
            made = joined(stage, connection)
            first, second = made.reserve(0), made.reserve(1)
            made.start_payment(first)
            made.pay(first)
            made.cancel(first)
            made.cancel(second)
            assert made.reserve(0, 1).status is Status.PENDING

        assert stage.event_types(first.booking_id)[-1] == "booking.refund_requested"
        stage.check_books()

    def test_the_caller_may_begin_and_end_as_ever(self, stage: Stage, engine: Engine) -> None:
        with engine.connect() as connection:
            joined(stage, connection).reserve(0)
            assert connection.in_transaction()
            assert not connection.closed
            assert bookings(stage) == 0
            connection.commit()
            assert bookings(stage) == 1
            with connection.begin():
                joined(stage, connection).reserve(1)
            assert bookings(stage) == 2

    def test_savepoints_of_the_caller_nest(self, stage: Stage, engine: Engine) -> None:
        with engine.begin() as connection:
            order(connection, "kept")
            with connection.begin_nested():
                joined(stage, connection).reserve(0)
            with connection.begin_nested() as savepoint:
                order(connection, "dropped")
                joined(stage, connection).reserve(1)
                savepoint.rollback()

        assert orders(stage) == ["kept"]
        assert stage.ask("SELECT array_agg(seat_id) FROM booking.claims") == list(stage.fixture.ids(0))
        stage.check_books()


class TestRefusals:
    def test_a_refusal_leaves_the_transaction_usable_with_none_of_our_writes(
        self, stage: Stage, engine: Engine
    ) -> None:
        stage.fixture.reserve(0, user="grace")
        with engine.begin() as connection:
            order(connection, "1")
            refused(SeatAlreadyReserved, lambda: joined(stage, connection).reserve(0, 1))
            order(connection, "2")
            joined(stage, connection).reserve(1)

        assert orders(stage) == ["1", "2"]
        assert stage.ask("SELECT count(*) FROM booking.bookings WHERE user_id = 'ada'") == 1
        stage.check_books()

    def test_an_error_of_the_callers_own_takes_our_writes_back(self, stage: Stage, engine: Engine) -> None:
        def work(connection: Connection) -> None:
            with stage.store.on(connection).unit_of_work() as uow:
                uow.bookings.add(stage.fixture.new_booking(0))
                uow.bookings.lock(stage.fixture.event.event_id)  # what is pending is written before this
                raise KeyError

        with engine.begin() as connection:
            order(connection, "1")
            refused(KeyError, lambda: work(connection))
            order(connection, "2")

        assert (bookings(stage), orders(stage)) == (0, ["1", "2"])

    def test_a_lock_timeout_of_the_callers_is_busy(self, stage: Stage, engine: Engine) -> None:
        with stage.locked_seats(0), engine.begin() as connection:
            connection.execute(text("SET LOCAL lock_timeout = '50ms'"))
            order(connection, "1")
            refused(ServiceBusy, lambda: joined(stage, connection).reserve(0))
            joined(stage, connection).reserve(1)

        assert (bookings(stage), orders(stage)) == (1, ["1"])

    def test_the_bounds_of_the_caller_are_left_alone(self, stage: Stage, engine: Engine) -> None:
        with engine.begin() as connection:
            connection.execute(text("SET LOCAL lock_timeout = '7s'"))
            made = joined(stage, connection)
            made.pay(made.reserve(0))

            assert connection.execute(text("SHOW lock_timeout")).scalar() == "7s"
            assert connection.execute(text("SHOW statement_timeout")).scalar() == "0"

    @pytest.mark.parametrize("given", ["on", "off"])
    def test_the_plans_of_the_caller_are_as_before(self, stage: Stage, engine: Engine, given: str) -> None:
        shown = text("SHOW enable_seqscan")
        with engine.begin() as connection:
            connection.execute(text(f"SET LOCAL enable_seqscan = {given}"))
            joined(stage, connection).reserve(0)
            after_a_booking = connection.execute(shown).scalar()
            refused(SeatAlreadyReserved, lambda: joined(stage, connection).reserve(0, user="grace"))
            after_a_refusal = connection.execute(shown).scalar()

        assert (after_a_booking, after_a_refusal) == (given, given)

    def test_a_conflict_is_the_callers_to_retry(self, stage: Stage, engine: Engine) -> None:
        """A deadlock with a transaction of the caller's own: no second try behind the caller's back."""
        stage.door.execute(f"ALTER DATABASE {stage.door.info.dbname} SET deadlock_timeout = '50ms'")
        seat = "SELECT 1 FROM booking.seats WHERE seat_id = %s FOR UPDATE"
        low, high = ([each] for each in stage.fixture.ids(0, 1))
        with stage.outsider() as outsider, engine.begin() as connection, ThreadPoolExecutor(1) as thread:
            outsider.execute("SET deadlock_timeout = '1h'")  # so that it is ours that is given up
            outsider.execute(seat, high)
            order(connection, "1")
            pid = connection.connection.driver_connection.info.backend_pid  # type: ignore[union-attr]
            waiting = thread.submit(joined(stage, connection).reserve, 0, 1)
            until(
                lambda: stage.ask("SELECT cardinality(pg_blocking_pids(%s))", [pid]) == 1, "it waits for the outsider"
            )
            outsider.execute(seat, low)
            error = waiting.exception()
            assert isinstance(error, TransactionConflict)
            order(connection, "2")

        assert (bookings(stage), orders(stage)) == (0, ["1", "2"])


class TestWhatCannotBe:
    @pytest.mark.parametrize("level", ["REPEATABLE READ", "SERIALIZABLE", "AUTOCOMMIT"])
    def test_another_isolation_level_is_refused_before_anything_is_done(
        self, stage: Stage, engine: Engine, level: Any
    ) -> None:
        with engine.connect().execution_options(isolation_level=level) as connection:
            order(connection, "1")
            refused(WrongIsolationLevel, lambda: joined(stage, connection).reserve(0))
            order(connection, "2")
            connection.commit()

        assert (bookings(stage), orders(stage)) == (0, ["1", "2"])

    def test_a_level_set_by_hand_is_seen(self, stage: Stage, engine: Engine) -> None:
        with engine.connect() as connection:
            connection.execute(text("SET TRANSACTION ISOLATION LEVEL SERIALIZABLE"))
            refused(WrongIsolationLevel, lambda: joined(stage, connection).reserve(0))

    def test_an_aborted_transaction_of_the_callers_stays_the_callers_trouble(
        self, stage: Stage, engine: Engine
    ) -> None:
        with engine.connect() as connection:
            order(connection, "1")
            with pytest.raises(Exception, match="division by zero"):
                connection.execute(text("SELECT 1 / 0"))
            with pytest.raises((psycopg.Error, ServiceBusy), match=r"aborted|busy"):
                joined(stage, connection).reserve(0)
            connection.rollback()
            joined(stage, connection).reserve(0)
            connection.commit()

        assert (bookings(stage), orders(stage)) == (1, [])

    def test_a_connection_lost_before_is_busy(self, stage: Stage, engine: Engine) -> None:
        with engine.connect() as connection:
            self._kill(stage, connection)
            refused(ServiceBusy, lambda: joined(stage, connection).reserve(0))
            connection.invalidate()

    def test_a_connection_lost_in_the_middle_is_busy(self, stage: Stage, engine: Engine) -> None:
        def work(connection: Connection) -> None:
            with stage.store.on(connection).unit_of_work() as uow:
                uow.bookings.lock_seats(stage.fixture.request(0))
                self._kill(stage, connection)
                uow.commit()

        with engine.connect() as connection:
            refused(ServiceBusy, lambda: work(connection))
            connection.invalidate()
        assert stage.fixture.reserve(0).status is Status.PENDING

    def _kill(self, stage: Stage, connection: Connection) -> None:
        pid = connection.connection.driver_connection.info.backend_pid  # type: ignore[union-attr]
        stage.door.execute("SELECT pg_terminate_backend(%s, 5000)", [pid])

    def test_it_cannot_migrate(self, stage: Stage, engine: Engine) -> None:
        with engine.connect() as connection:
            refused(NotImplementedError, stage.store.on(connection).upkeep.migrate)
            assert stage.store.on(connection).upkeep.health().is_ready
            stage.store.on(connection).close()
            assert not connection.closed
