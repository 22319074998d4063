"""The connection dies at every possible moment: the result is the booking or ServiceBusy, and the books are right."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from functools import partial

import psycopg
import pytest

from booking_core.application import get_booking
from booking_core.contracts.store.fixture import in_parallel
from booking_core.contracts.store.inbox import message
from booking_core.domain.booking import Booking
from booking_core.domain.errors import CommitOutcomeUnknown, ServiceBusy, TransactionConflict
from booking_core.domain.lifecycle import Status
from booking_postgres.driver.connection import Timeouts
from tests.integration.postgres.cutting_proxy import Cut, CuttingProxy, proxy_before
from tests.support.postgres.stage import Stage, open_store

pytestmark = pytest.mark.usefixtures("long_lock_waits")

_KILL = (
    "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
    " WHERE datname = current_database() AND application_name = 'booking-core'"
)


def kill_all(stage: Stage) -> int:
    """Terminate the store's sessions; how many there were."""
    return len(stage.door.execute(_KILL).fetchall())


@contextmanager
def through_proxy(stage: Stage) -> Iterator[CuttingProxy]:
    """The store's connections go through a proxy."""
    with proxy_before(stage.url) as (proxy, url):
        stage.store.close()
        stage.store = open_store(url)
        stage.store.timeouts = Timeouts(reservation_lock="1000ms")
        stage.fixture = stage.fixture.as_seen_from(stage.store)
        try:
            stage.fixture.cancel(stage.fixture.reserve(11, user="warm"))
            yield proxy
        finally:
            stage.store.close()


class TestTheReplyToCommitIsLost:
    def test_the_booking_is_found_by_its_id(self, stage: Stage) -> None:
        with through_proxy(stage) as proxy:
            proxy.cut = Cut.BEFORE_REPLY
            booking = stage.fixture.reserve(0)

            assert proxy.cuts == 1
            assert get_booking("ada", booking.booking_id, store=stage.store).status is Status.PENDING
        assert stage.event_types(booking.booking_id) == ["booking.created"]
        assert stage.ask("SELECT count(*) FROM booking.bookings WHERE user_id = 'ada'") == 1
        stage.check_books()

    def test_it_is_busy_if_the_server_never_saw_the_commit(self, stage: Stage) -> None:
        with through_proxy(stage) as proxy:
            proxy.cut = Cut.BEFORE_COMMIT
            with pytest.raises(ServiceBusy):
                stage.fixture.reserve(0)

            assert stage.ask("SELECT count(*) FROM booking.bookings WHERE user_id = 'ada'") == 0
            assert stage.fixture.reserve(0).status is Status.PENDING
        stage.check_books()

    def test_it_is_busy_if_nobody_can_be_asked(self, stage: Stage) -> None:
        with through_proxy(stage) as proxy:
            proxy.cut, proxy.closed = Cut.BEFORE_REPLY, True
            with pytest.raises(ServiceBusy):
                stage.fixture.reserve(0)

            proxy.closed = False
            assert stage.fixture.reserve(1).status is Status.PENDING
        assert stage.ask("SELECT count(*) FROM booking.bookings WHERE user_id = 'ada'") == 2
        stage.check_books()

    @pytest.mark.parametrize("cut", [Cut.BEFORE_COMMIT, Cut.BEFORE_REPLY])
    def test_a_payment_is_applied_once(self, stage: Stage, cut: Cut) -> None:
        with through_proxy(stage) as proxy:
            booking = stage.fixture.reserve(0)
            proxy.cut = cut
            stage.fixture.pay(booking)

            assert stage.fixture.stored(booking).status is Status.CONFIRMED
        assert stage.event_types(booking.booking_id) == ["booking.created", "booking.confirmed"]
        stage.check_books()

    @pytest.mark.parametrize("cut", [Cut.BEFORE_COMMIT, Cut.BEFORE_REPLY])
    def test_a_cancellation_is_done_once(self, stage: Stage, cut: Cut) -> None:
        with through_proxy(stage) as proxy:
            booking = stage.fixture.reserve(0)
            proxy.cut = cut

            assert stage.fixture.cancel(booking).status is Status.CANCELLED
        assert stage.event_types(booking.booking_id) == ["booking.created", "booking.cancelled"]
        stage.check_books()

    def test_a_unit_of_work_says_that_it_does_not_know(self, stage: Stage) -> None:
        with through_proxy(stage) as proxy, stage.store.unit_of_work() as uow:
            uow.bookings.lock_seats(stage.fixture.request(0))
            uow.bookings.add(stage.fixture.new_booking(0))
            proxy.cut = Cut.BEFORE_REPLY
            with pytest.raises(CommitOutcomeUnknown):
                uow.commit()


class TestTheSessionIsKilled:
    def test_between_two_requests_nobody_notices(self, stage: Stage) -> None:
        for place in range(3):
            with stage.store.unit_of_work(), stage.store.unit_of_work():
                pass  # two connections in the pool
            assert kill_all(stage) > 1
            assert stage.fixture.reserve(place, user=f"user-{place}").status is Status.PENDING
            assert kill_all(stage) > 0
            assert len(stage.store.reads.seats(stage.fixture.event.event_id).seats) == 12
        stage.check_books()

    def test_while_it_waits_for_a_lock_the_request_is_run_again(self, stage: Stage) -> None:
        with ThreadPoolExecutor(1) as thread, stage.locked_seats(0) as outsider:
            waiting = thread.submit(stage.fixture.reserve, 0)
            stage.await_waiting()
            kill_all(stage)
            outsider.rollback()

            assert waiting.result().status is Status.PENDING
        stage.check_books()

    def test_after_its_locks_it_is_busy_and_nothing_is_written(self, stage: Stage) -> None:
        with stage.store.unit_of_work() as uow:
            uow.bookings.lock_seats(stage.fixture.request(0))
            kill_all(stage)
            uow.bookings.add(stage.fixture.new_booking(0))
            with pytest.raises(ServiceBusy) as busy:
                uow.commit()

        assert not isinstance(busy.value, TransactionConflict)
        assert stage.ask("SELECT count(*) FROM booking.bookings") == 0
        assert stage.fixture.reserve(0).status is Status.PENDING

    @pytest.mark.parametrize("step", ["lock", "save", "inbox", "sweep", "event"])
    def test_in_the_middle_of_a_unit_of_work_it_is_busy(self, stage: Stage, step: str) -> None:
        booking, other = stage.fixture.reserve(0), stage.fixture.reserve(1)
        with stage.store.unit_of_work() as uow:
            uow.bookings.lock(booking.booking_id)
            kill_all(stage)
            steps: dict[str, Callable[[], object]] = {
                "lock": lambda: uow.bookings.lock(booking.booking_id),
                "save": lambda: uow.bookings.save(other),
                "inbox": lambda: uow.inbox.mark_processed([message(booking)]),
                "sweep": lambda: uow.bookings.expire_overdue(1),
                "event": lambda: uow.events.put_seats(stage.fixture.event.event_id, stage.fixture.seats),
            }
            with pytest.raises(ServiceBusy):
                steps[step]()
        assert stage.fixture.cancel(booking).status is Status.CANCELLED

    @pytest.mark.parametrize("seconds", [1.5, pytest.param(20, marks=pytest.mark.soak)])
    def test_again_and_again_under_load_the_books_stay_right(self, stage: Stage, seconds: float) -> None:
        stage.set_up(seats=800)
        end = stage.ask("SELECT clock_timestamp() + %s * interval '1 s'", [seconds])

        def customer(number: int) -> int:
            done = 0
            # A step that was busy may be done or not: its booking is left alone, and the next takes another seat.
            for place in range(number, 800, 8):
                with suppress(ServiceBusy):
                    if stage.store.reads.now() > end:
                        break
                    booking = stage.fixture.reserve(place, user=f"user-{place}")
                    stage.fixture.pay(booking)
                    stage.fixture.cancel(booking)
                    done += 1
            return done

        def killer() -> int:
            kills = 0
            while stage.ask("SELECT clock_timestamp() < %s", [end]):
                kills += kill_all(stage)
            return kills

        jobs: list[Callable[[], int]] = [*(partial(customer, number) for number in range(8)), killer]
        *done, kills = [int(outcome) for outcome in in_parallel(jobs) if isinstance(outcome, int)]

        assert kills
        assert sum(done)
        stage.check_books()


def test_a_restart_of_the_database_needs_none_of_ours(stage: Stage, postgres_url: str) -> None:
    """As a restart does it: every session ends, and for a while nobody is let in."""
    name = stage.door.info.dbname
    in_parallel([partial(stage.store.reads.seats, stage.fixture.event.event_id)] * 6)
    with psycopg.connect(postgres_url, autocommit=True) as server:
        server.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
        server.execute("SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = %s", [name])
        for _ in range(3):
            with pytest.raises(ServiceBusy):
                stage.fixture.reserve(0)
            with pytest.raises(ServiceBusy):
                stage.store.reads.now()
            assert not stage.store.upkeep.health().is_ready
        server.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")

    made = stage.fixture.reserve(0)
    assert isinstance(made, Booking)
    assert stage.store.upkeep.health().is_ready
