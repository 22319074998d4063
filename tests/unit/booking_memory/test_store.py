"""What is particular to the store in memory; the rest is in the contract suites."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from threading import Event, current_thread
from uuid import UUID, uuid4

import pytest

from booking_core.domain.booking import Booking
from booking_core.domain.errors import EventNotFound, SeatAlreadyReserved, ServiceBusy, TransactionConflict
from booking_core.domain.reservation import IdempotencyKey
from booking_core.domain.values import ActorKind, Cause, SaleStatus, Seat, Terms, TicketedEvent
from booking_core.ports import StoredResponse
from booking_memory.store import MemoryStore

NOW = datetime(2031, 5, 6, 12, tzinfo=UTC)
CAUSE = Cause(actor=ActorKind.CUSTOMER, actor_id="ada", correlation_id="c")
EVENT = TicketedEvent(
    event_id=UUID(int=1), name="Play", starts_at=NOW + timedelta(days=9), status=SaleStatus.ON_SALE, currency="USD"
)
SEAT = Seat(seat_id=UUID(int=2), row="A", number=1, price=Decimal("75.00"))
KEY = IdempotencyKey(user_id="ada", operation="POST", key="k", fingerprint="f")


@pytest.fixture
def store() -> MemoryStore:
    store = MemoryStore(lambda: NOW, lock_wait=0.02)
    with store.unit_of_work() as uow:
        uow.events.put(EVENT, ages=False, complete=True)
        uow.events.put_seats(EVENT.event_id, [SEAT])
        uow.commit()
    return store


def new_booking(user: str = "ada") -> Booking:
    return Booking.reserve(user_id=user, event=EVENT, seats=(SEAT,), now=NOW, terms=Terms(), cause=CAUSE)


def added(store: MemoryStore) -> Booking:
    booking = new_booking()
    with store.unit_of_work() as uow:
        uow.bookings.add(booking)
        uow.commit()
    return booking


def test_nesting_in_one_thread_is_refused_instead_of_hanging(store: MemoryStore) -> None:
    booking = added(store)
    with store.unit_of_work() as outer, store.unit_of_work() as inner:
        outer.bookings.lock(booking.booking_id)
        with pytest.raises(ServiceBusy):
            inner.bookings.lock(booking.booking_id)


def test_a_commit_waits_for_the_lock_of_what_it_writes(store: MemoryStore) -> None:
    booking = added(store)
    with store.unit_of_work() as outer, store.unit_of_work() as inner:
        outer.bookings.lock(booking.booking_id)
        booking.new_history.clear()
        booking.fail_payment("pay-1", "no", NOW, CAUSE)
        inner.bookings.save(booking)
        with pytest.raises(ServiceBusy):
            inner.commit()


def test_one_seat_twice_in_one_unit_of_work_is_refused(store: MemoryStore) -> None:
    with store.unit_of_work() as uow:
        uow.bookings.add(new_booking())
        uow.bookings.add(new_booking("grace"))
        with pytest.raises(SeatAlreadyReserved):
            uow.commit()


def test_two_copies_of_one_booking_in_one_unit_of_work_conflict(store: MemoryStore) -> None:
    booking_id = added(store).booking_id
    with store.unit_of_work() as uow:
        copies = [uow.bookings.lock(booking_id)[booking_id] for _ in range(2)]
        for copy in copies:
            assert copy is not None
            copy.booking.confirm("pay-1", copy.booking.total, NOW, CAUSE)
            uow.bookings.save(copy.booking)
        with pytest.raises(TransactionConflict):
            uow.commit()


def test_a_booking_may_be_saved_loaded_and_saved_again(store: MemoryStore) -> None:
    booking_id = added(store).booking_id
    with store.unit_of_work() as uow:
        for payment_id in ("pay-1", "pay-2", "pay-3"):
            locked = uow.bookings.lock(booking_id)[booking_id]
            locked.booking.confirm(payment_id, locked.booking.total, NOW, CAUSE)
            uow.bookings.save(locked.booking)
        uow.commit()

    assert [entry.number for entry in store.reads.history(booking_id)] == [1, 2, 3, 4]
    assert [record.sequence for record in store.outbox.everything()] == [1, 2, 3, 4]


def test_a_unit_of_work_that_has_ended_does_nothing_any_more(store: MemoryStore) -> None:
    with store.unit_of_work() as uow:
        uow.commit()
        with pytest.raises(RuntimeError):
            uow.commit()
        with pytest.raises(RuntimeError):
            uow.bookings.add(new_booking())
    with pytest.raises(RuntimeError):
        uow.events.put(EVENT, ages=False, complete=False)


def test_seats_of_an_unknown_event_are_refused(store: MemoryStore) -> None:
    with store.unit_of_work() as uow, pytest.raises(EventNotFound):
        uow.events.put_seats(uuid4(), [SEAT])


def test_an_answer_lasts_as_long_as_it_was_promised() -> None:
    clock = [NOW]
    store = MemoryStore(lambda: clock[0], idempotency_hours=2)
    with store.unit_of_work() as uow:
        uow.responses.keep(KEY, "answer")
        uow.commit()

    answers: list[StoredResponse | None] = []
    for hours in (1, 2, 2.1):
        clock[0] = NOW + timedelta(hours=hours)
        with store.unit_of_work() as uow:
            answers.append(uow.responses.claim(KEY))

    assert answers == [StoredResponse(text="answer"), StoredResponse(text="answer"), None]


def test_it_needs_no_schema(store: MemoryStore) -> None:
    assert list(store.upkeep.migrate()) == []
    assert store.upkeep.health().is_ready
    store.close()
    store.close()


def test_a_booking_that_ended_while_it_was_waited_for_is_not_live() -> None:
    main, has_looked = current_thread(), Event()

    def clock() -> datetime:
        # The clock is read within each look at the tables, so whoever else reads it has not taken its locks yet.
        if current_thread() is not main:
            has_looked.set()
        return NOW

    store = MemoryStore(clock, lock_wait=30)
    booking = added(store)

    def lock_live() -> int:
        with store.unit_of_work() as uow:
            return len(uow.bookings.lock_live(EVENT.event_id, 10))

    with ThreadPoolExecutor(1) as pool, store.unit_of_work() as uow:
        locked = uow.bookings.lock(booking.booking_id)[booking.booking_id]
        found = pool.submit(lock_live)
        assert has_looked.wait(10)
        locked.booking.fail_payment("pay-1", "no", NOW, CAUSE)
        uow.bookings.save(locked.booking)
        uow.commit()

        assert found.result(30) == 0
