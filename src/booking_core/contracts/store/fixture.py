"""The fixture of the suites: one event with seats in a store, and short names for frequent steps."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from decimal import Decimal
from threading import Barrier
from typing import Any, Final, TypeVar
from uuid import UUID, uuid4

from attrs import evolve, fields, frozen

from booking_core.application import (
    ReservationRequest,
    cancel,
    confirm_payment,
    reserve,
    reserve_group,
    reserve_group_on,
    start_payment,
)
from booking_core.contracts.harness import StoreHarness
from booking_core.domain.booking import Booking
from booking_core.domain.commands import CancelBooking, ConfirmPayment, Reserve, StartPayment
from booking_core.domain.errors import BookingError
from booking_core.domain.reservation import SeatRequest
from booking_core.domain.values import ActorKind, Cause, SaleStatus, Seat, SeatStatus, Terms, TicketedEvent
from booking_core.ports import EventLoopStore, LockedBooking, LockedSeats, Store, UnitOfWork

E = TypeVar("E", bound=BaseException)
T = TypeVar("T")

CORRELATION: Final = "correlation-of-the-suite"
CAUSE: Final = Cause(actor=ActorKind.CUSTOMER, actor_id="ada", correlation_id=CORRELATION)
WINDOW_SECONDS: Final = 600.0
"""The payment window of holds in the suites."""
ROWS: Final = ("10", "2", "A10", "b2", "A2", "B010", "A2", "a2", "Box 2 Row 10", "Box 2 Row 9")
"""Rows that no order of plain texts sorts as people do."""
_JOB_SECONDS: Final = 60.0


@frozen
class StoreFixture:
    """An event on sale and its seats, by id and by number; the suites name a seat by its place in that order."""

    store: Store
    event: TicketedEvent
    seats: tuple[Seat, ...]
    on_event_loop: bool = False
    """Groups run on an event loop: the store is an EventLoopStore."""

    @classmethod
    def of(
        cls, harness: StoreHarness, *, seats: int = 6, price: str = "75.00", currency: str = "USD", days: float = 30
    ) -> "StoreFixture":
        """Put such an event into the harness's store: loaded from a file, complete, starting in so many days."""
        store = harness.store
        starts_at = (store.reads.now() + timedelta(days=days)).replace(microsecond=0)
        event = TicketedEvent(
            event_id=uuid4(), name="The Tempest", starts_at=starts_at, status=SaleStatus.ON_SALE, currency=currency
        )
        ids = sorted(uuid4() for _ in range(seats))
        rows = [Seat(seat_id=each, row="A", number=n, price=Decimal(price)) for n, each in enumerate(ids, 1)]
        with store.unit_of_work() as uow:
            uow.events.put(event, ages=False, complete=True)
            uow.events.put_seats(event.event_id, rows)
            uow.commit()
        return cls(store, event, tuple(rows), on_event_loop=getattr(harness, "on_event_loop", False))

    def ids(self, *places: int) -> tuple[UUID, ...]:
        """Return the ids of the seats at these places, in the order given."""
        return tuple(self.seats[place].seat_id for place in places)

    def in_rows(self, *rows: str) -> "StoreFixture":
        """Move the seats, in the order of their places, to these rows; return the fixture with them."""
        moved = tuple(evolve(seat, row=row) for seat, row in zip(self.seats, rows, strict=True))
        with self.store.unit_of_work() as uow:
            uow.events.put_seats(self.event.event_id, moved)
            uow.commit()
        return evolve(self, seats=moved)

    def request(self, *places: int, user: str = "ada") -> SeatRequest:
        """Make the argument of `lock_seats`."""
        return SeatRequest(user_id=user, event_id=self.event.event_id, seat_ids=tuple(sorted(self.ids(*places))))

    def command(self, *places: int, user: str = "ada") -> Reserve:
        """Make the command of the use case."""
        return Reserve(
            user_id=user, event_id=self.event.event_id, seat_ids=self.ids(*places), correlation_id=CORRELATION
        )

    def reserve(self, *places: int, user: str = "ada", window: float = WINDOW_SECONDS) -> Booking:
        """Reserve through the use case; return the PENDING booking."""
        terms = Terms(payment_window=timedelta(seconds=window))
        return reserve(self.command(*places, user=user), store=self.store, terms=terms)

    def reserve_group(self, requests: Sequence[ReservationRequest], **given: Any) -> list[Any]:
        """Reserve a group; deferred requests are not reserved alone. `given` is passed on."""
        if self.on_event_loop:
            return asyncio.run(_reserve_on_event_loop(self.store, requests, given))
        return list(reserve_group(requests, store=self.store, **given))

    def new_booking(self, *places: int, user: str = "ada") -> Booking:
        """Make a booking that is in no store, whether or not the seats are free."""
        return Booking.reserve(
            user_id=user,
            event=self.event,
            seats=tuple(sorted((self.seats[place] for place in places), key=lambda seat: seat.seat_id)),
            now=self.store.reads.now(),
            terms=Terms(),
            cause=CAUSE,
        )

    def start_payment(self, booking: Booking, payment_id: str = "pay-1") -> bool:
        """Apply `payment.processing`."""
        return start_payment(StartPayment(**_message(booking, payment_id)), store=self.store)

    def pay(self, booking: Booking, payment_id: str = "pay-1") -> bool:
        """Apply `payment.success` with the whole amount."""
        total, message = booking.total, _message(booking, payment_id)
        command = ConfirmPayment(**message, amount=total.amount, currency=total.currency)
        return confirm_payment(command, store=self.store)

    def cancel(self, booking: Booking) -> Booking:
        """Cancel the booking as its customer."""
        command = CancelBooking(user_id=booking.user_id, booking_id=booking.booking_id, correlation_id=CORRELATION)
        return cancel(command, store=self.store)

    def change(self, booking_id: UUID, verb: Callable[[LockedBooking], object]) -> Booking:
        """Lock the booking, apply the verb, save and commit; return the changed booking."""
        with self.store.unit_of_work() as uow:
            locked = uow.bookings.lock(booking_id)[booking_id]
            verb(locked)
            uow.bookings.save(locked.booking)
            uow.commit()
            return locked.booking

    def stored(self, booking: Booking) -> Booking:
        """Return the booking as it is written, even if it is overdue: loaded under its lock."""
        with self.store.unit_of_work() as uow:
            locked = uow.bookings.lock(booking.booking_id)
            assert booking.booking_id in locked, "the booking is not stored"
            return locked[booking.booking_id].booking

    def seat_status(self, place: int) -> SeatStatus:
        """Return the public status of the seat."""
        on_map = {each.seat.seat_id: each.status for each in self.store.reads.seats(self.event.event_id).seats}
        return on_map[self.seats[place].seat_id]

    def as_seen_from(self, store: Store) -> "StoreFixture":
        """Return the same fixture on another store object."""
        return evolve(self, store=store)


async def _reserve_on_event_loop(
    store: Store, requests: Sequence[ReservationRequest], given: Mapping[str, Any]
) -> list[Any]:
    assert isinstance(store, EventLoopStore), "the store has no groups on an event loop"
    groups = store.groups_on_event_loop(asyncio.to_thread)
    try:
        return list(await reserve_group_on(groups, requests, **given))
    finally:
        groups.close()


def lock_seats(uow: UnitOfWork, request: SeatRequest) -> LockedSeats:
    """Lock the seats of a request without an idempotency key."""
    facts = uow.bookings.lock_seats(request)
    assert isinstance(facts, LockedSeats)
    return facts


def content_of(booking: Booking) -> dict[str, Any]:
    """Return the stored fields of a booking, to compare; events and history recorded since loading are left out."""
    names = [each.name for each in fields(Booking) if each.name not in ("new_events", "new_history")]
    return {name: getattr(booking, name) for name in names}


def refused(kind: type[E], call: Callable[[], object]) -> E:
    """Return the error of that kind, which the call must raise."""
    try:
        call()
    except kind as error:
        return error
    raise AssertionError(f"{kind.__name__} was not raised")


def _message(booking: Booking, payment_id: str) -> dict[str, Any]:
    return {
        "message_id": uuid4(),
        "booking_id": booking.booking_id,
        "payment_id": payment_id,
        "correlation_id": CORRELATION,
    }


def in_parallel(jobs: Sequence[Callable[[], T]]) -> list[T | BookingError]:
    """Run every job in a thread of its own, all starting together; return the result or the typed error of each.

    Any other error is raised here.
    """
    start = Barrier(len(jobs), timeout=_JOB_SECONDS)

    def run(job: Callable[[], T]) -> T:
        start.wait()
        return job()

    with ThreadPoolExecutor(max_workers=len(jobs)) as pool:
        futures = [pool.submit(run, job) for job in jobs]
        outcomes: list[T | BookingError] = []
        for future in futures:
            try:
                outcomes.append(future.result(timeout=_JOB_SECONDS))
            except BookingError as error:
                outcomes.append(error)
        return outcomes
