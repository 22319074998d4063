"""Each lock and each order is needed: with it the race ends well, and the same race goes wrong where it is taken out.

Taken out is it by a variant of the database's function in the test's own database.
"""

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import AbstractContextManager, ExitStack, contextmanager
from functools import partial
from typing import Any, Final

import psycopg
import pytest

from booking_core.contracts.store.fixture import lock_seats, refused
from booking_core.domain.booking import Booking
from booking_core.domain.errors import PendingLimitReached, SeatAlreadyReserved
from booking_core.domain.reservation import ReservationFacts
from booking_core.ports import UnitOfWork
from booking_postgres.driver.connection import Timeouts
from tests.support.postgres.stage import Stage

pytestmark = pytest.mark.usefixtures("long_lock_waits")

Session = psycopg.Connection[Any]

SEAT_LOCK: Final = ("FOR UPDATE) l;", "OFFSET 0) l;")
USER_LOCK: Final = (
    "INSERT INTO booking.customers AS u (user_id) VALUES (p_user_id)\n"
    "        ON CONFLICT (user_id) DO UPDATE SET user_id = EXCLUDED.user_id;",
    "",
)
SEAT_ORDER: Final = (
    "ORDER BY w.seat_id) w,",
    "ORDER BY CASE WHEN p_user_id = 'grace' THEN w.seat_id END DESC, w.seat_id) w,",
)
BOOKING_ORDER: Final = (
    "ORDER BY c.booking_id) h,",
    "ORDER BY CASE WHEN p_user_id = 'grace' THEN c.booking_id END DESC, c.booking_id) h,",
)
HOLDER_LOCK: Final = ("FOR UPDATE) b;", "OFFSET 0) b;")


@contextmanager
def in_hand(stage: Stage, place: int, user: str) -> Iterator[tuple[UnitOfWork, ReservationFacts]]:
    """A reservation between its two round trips: it has locked and loaded, and decides when the test says so."""
    with stage.store.unit_of_work() as uow:
        yield uow, lock_seats(uow, stage.fixture.request(place, user=user))


def write(stage: Stage, uow: UnitOfWork, place: int, user: str) -> None:
    uow.bookings.add(stage.fixture.new_booking(place, user=user))
    uow.commit()


class TestTheSeatLock:
    def test_makes_the_second_wait_and_then_see_the_claim(self, stage: Stage) -> None:
        with ThreadPoolExecutor(1) as thread, in_hand(stage, 0, "ada") as (uow, _):
            second = thread.submit(stage.fixture.reserve, 0, user="grace")
            stage.await_waiting()
            write(stage, uow, 0, "ada")

            assert isinstance(second.exception(), SeatAlreadyReserved)

    def test_without_it_only_the_unique_index_stands_between_two_bookings(self, stage: Stage) -> None:
        stage.rewrite_function(SEAT_LOCK)
        with in_hand(stage, 0, "ada") as (ada, _), in_hand(stage, 0, "grace") as (grace, scene):
            assert scene.taken == frozenset()
            write(stage, ada, 0, "ada")

            refused(SeatAlreadyReserved, partial(write, stage, grace, 0, "grace"))

        stage.check_books()
        assert stage.ask("SELECT count(*) FROM booking.bookings") == 1

    def test_without_it_and_the_index_a_seat_is_sold_twice(self, stage: Stage) -> None:
        stage.rewrite_function(SEAT_LOCK)
        stage.door.execute("DROP INDEX booking.one_live_claim")
        with in_hand(stage, 0, "ada") as (ada, _), in_hand(stage, 0, "grace") as (grace, _):
            write(stage, ada, 0, "ada")
            write(stage, grace, 0, "grace")

        assert stage.ask("SELECT count(*) FROM booking.claims WHERE ended_at IS NULL") == 2


class TestTheUserLock:
    def test_makes_the_second_wait_and_then_count_the_first(self, stage: Stage) -> None:
        for place in (0, 1):
            stage.fixture.reserve(place)
        with ThreadPoolExecutor(1) as thread, in_hand(stage, 2, "ada") as (uow, _):
            second = thread.submit(stage.fixture.reserve, 3, user="ada")
            stage.await_waiting()
            write(stage, uow, 2, "ada")

            assert isinstance(second.exception(), PendingLimitReached)

    def test_makes_the_very_first_two_requests_of_a_customer_wait_for_each_other(self, stage: Stage) -> None:
        with ThreadPoolExecutor(1) as thread, in_hand(stage, 0, "newcomer") as (uow, _):
            second = thread.submit(stage.fixture.reserve, 1, user="newcomer")
            stage.await_waiting()
            write(stage, uow, 0, "newcomer")

            assert second.result().status.value == "PENDING"

    def test_without_it_a_customer_gets_a_fourth_hold(self, stage: Stage) -> None:
        stage.rewrite_function(USER_LOCK)
        for place in (0, 1):
            stage.fixture.reserve(place)
        with in_hand(stage, 2, "ada") as (first, one), in_hand(stage, 3, "ada") as (second, other):
            assert (one.pending, other.pending) == (2, 2)
            write(stage, first, 2, "ada")
            write(stage, second, 3, "ada")

        assert stage.ask("SELECT count(*) FROM booking.holds WHERE user_id = 'ada'") == 4


class TestTheLockOfAnOverdueHolder:
    def test_makes_the_next_customer_see_that_a_payment_was_in_time(self, stage: Stage) -> None:
        held = self._overdue(stage)
        with ThreadPoolExecutor(1) as thread, stage.locked_booking(held) as outsider:
            second = thread.submit(stage.fixture.reserve, 0, user="grace")
            stage.await_waiting()
            self._move_deadline(outsider)
            outsider.commit()

            assert isinstance(second.exception(), SeatAlreadyReserved)
        assert stage.triggers(held.booking_id) == ["RESERVE"]

    def test_without_it_the_payment_in_flight_is_overlooked(self, stage: Stage) -> None:
        stage.rewrite_function(HOLDER_LOCK)
        held = self._overdue(stage)
        with stage.locked_booking(held) as outsider, in_hand(stage, 0, "grace") as (_, scene):
            self._move_deadline(outsider)
            outsider.commit()

            assert scene.taken == frozenset()

    def _overdue(self, stage: Stage) -> Booking:
        held = stage.fixture.reserve(0)
        stage.age(601)
        return held

    def _move_deadline(self, outsider: Session) -> None:
        """What a `payment.processing` does that was in time and has the lock."""
        for table, column in (("bookings", "deadline"), ("claims", "held_until")):
            outsider.execute(f"UPDATE booking.{table} SET {column} = {column} + interval '5 minutes'")


class TestTheOrderOfLocks:
    """Two outsiders hold one lock each, so that both customers stand in line before either has anything."""

    def test_seats_in_one_order_never_make_a_circle(self, stage: Stage) -> None:
        outcomes = self._both_want_both_seats(stage)

        assert sorted(type(outcome).__name__ for outcome in outcomes) == ["Booking", "SeatAlreadyReserved"]
        assert stage.deadlocks() == 0

    def test_seats_in_two_orders_make_a_circle(self, stage: Stage) -> None:
        stage.rewrite_function(SEAT_ORDER)

        self._both_want_both_seats(stage)

        assert stage.deadlocks() > 0

    def test_bookings_in_one_order_never_make_a_circle(self, stage: Stage) -> None:
        outcomes = self._both_want_the_seats_of_two_overdue_bookings(stage)

        assert sorted(type(outcome).__name__ for outcome in outcomes) == ["Booking", "SeatAlreadyReserved"]
        assert stage.deadlocks() == 0

    def test_bookings_in_two_orders_make_a_circle(self, stage: Stage) -> None:
        stage.rewrite_function(BOOKING_ORDER)

        self._both_want_the_seats_of_two_overdue_bookings(stage)

        assert stage.deadlocks() > 0

    @pytest.fixture(autouse=True)
    def _deadlocks_are_seen_before_the_wait_is_given_up(self, stage: Stage, long_lock_waits: None) -> None:
        stage.store.timeouts = Timeouts(reservation_lock="1000ms", lock="20s", statement="30s", idle="30s")
        stage.door.execute(f"ALTER DATABASE {stage.door.info.dbname} SET deadlock_timeout = '50ms'")
        stage.store.close()

    def _both_want_both_seats(self, stage: Stage) -> list[object]:
        return self._both(stage, [stage.locked_seats(0), stage.locked_seats(1)])

    def _both_want_the_seats_of_two_overdue_bookings(self, stage: Stage) -> list[object]:
        late = [stage.fixture.reserve(place, user=f"late-{place}") for place in (0, 1)]
        stage.age(601)
        late.sort(key=lambda booking: booking.booking_id)
        return self._both(stage, [stage.locked_booking(booking) for booking in late])

    def _both(self, stage: Stage, locks: list[AbstractContextManager[Session]]) -> list[object]:
        with ThreadPoolExecutor(2) as threads, ExitStack() as held:
            outsiders = [held.enter_context(lock) for lock in locks]
            jobs: list[Future[Booking]] = []
            for number, user in enumerate(("ada", "grace"), start=1):
                jobs.append(threads.submit(stage.fixture.reserve, 0, 1, user=user))
                stage.await_waiting(number)
            first, second = outsiders
            first.rollback()
            # Who has got that lock must stand in line for the other one, else it may find it free and jump in.
            stage.await_blocked(2)
            second.rollback()
            wait(jobs)
            return [job.exception() or job.result() for job in jobs]
