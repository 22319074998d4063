"""Whatever happens, in whichever order: the use cases over the memory adapter, and what must hold after each step."""

import json
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any
from uuid import UUID, uuid4

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from booking_core import (
    AnswerRefund,
    Booking,
    CancelBooking,
    CancelEvent,
    CancellationReason,
    ConfirmPayment,
    FailPayment,
    RefundStatus,
    Refusal,
    Reserve,
    SaleStatus,
    Seat,
    SeatStatus,
    StartPayment,
    Status,
    TicketedEvent,
    answer_refund,
    cancel,
    cancel_event,
    confirm_payment,
    expire,
    fail_payment,
    reserve,
    start_payment,
)
from booking_core.domain.lifecycle import LIVE
from booking_memory.store import MemoryStore

START = datetime(2031, 5, 6, 12, tzinfo=UTC)
CORRELATION = "correlation"
USERS = ["ada", "grace"]
# The second event starts so soon that the 24 hours of BR-04 pass while the machine runs.
EVENTS = [
    TicketedEvent(event_id=UUID(int=n), name="Play", starts_at=starts_at, status=SaleStatus.ON_SALE, currency="USD")
    for n, starts_at in enumerate((START + timedelta(days=60), START + timedelta(hours=26)))
]
SEATS = [Seat(seat_id=UUID(int=100 + n), row="A", number=n, price=Decimal(10 + n)) for n in range(6)]
STEPS = [timedelta(seconds=seconds) for seconds in (1, 200, 299, 300, 599, 600, 601, 5400, 82_800)]

users = st.sampled_from(USERS)
events = st.sampled_from(EVENTS)
payment_ids = st.sampled_from(["pay-1", "pay-2"])
numbers = st.integers(0, 50)


class BookingMachine(RuleBasedStateMachine):
    """Customers, the Payment Service, the clock, the sweeper and an administrator, each when they please."""

    def __init__(self) -> None:
        super().__init__()
        self.now = START
        self.store = MemoryStore(lambda: self.now)
        self.made: list[UUID] = []
        self.told: list[Callable[[], bool]] = []
        self.paid: set[tuple[UUID, str]] = set()
        self.ended: dict[UUID, tuple[Any, ...]] = {}

    @initialize()
    def open_the_sale(self) -> None:
        with self.store.unit_of_work() as uow:
            for event in EVENTS:
                uow.events.put(event, ages=False, complete=True)
                uow.events.put_seats(event.event_id, SEATS)
            uow.commit()

    # -- what happens --------------------------------------------------------------------------------------------------

    @rule(user=users, event=events, seats=st.sets(st.sampled_from(SEATS), min_size=1, max_size=3))
    def a_customer_reserves(self, user: str, event: TicketedEvent, seats: set[Seat]) -> None:
        wanted = tuple(seat.seat_id for seat in seats)
        command = Reserve(user_id=user, event_id=event.event_id, seat_ids=wanted, correlation_id=CORRELATION)
        free = {each.seat.seat_id for each in self.seat_map(event) if each.status is SeatStatus.AVAILABLE}
        on_sale = self.now < event.starts_at and not self.is_closed(event)
        may = on_sale and free.issuperset(wanted) and self.pending_of(user) < 3
        try:
            booking = reserve(command, store=self.store)
        except Refusal:
            assert not may
        else:
            assert may
            self.made.append(booking.booking_id)

    @rule(number=numbers)
    def a_customer_cancels(self, number: int) -> None:
        if (booking := self.pick(number)) is None:
            return
        command = CancelBooking(user_id=booking.user_id, booking_id=booking.booking_id, correlation_id=CORRELATION)
        try:
            assert cancel(command, store=self.store).cancellation_reason is CancellationReason.USER_CANCELLED
        except Refusal:
            assert booking.status is not Status.PENDING

    @rule(number=numbers, payment_id=payment_ids)
    def a_payment_starts(self, number: int, payment_id: str) -> None:
        if booking := self.pick(number):
            command = StartPayment(**self.message(booking, payment_id))
            self.tell(lambda: start_payment(command, store=self.store))

    @rule(number=numbers, payment_id=payment_ids, short=st.sampled_from([Decimal(0), Decimal(0), Decimal(1)]))
    def a_payment_succeeds(self, number: int, payment_id: str, short: Decimal) -> None:
        if booking := self.pick(number):
            amount = booking.total.amount - short
            command = ConfirmPayment(**self.message(booking, payment_id), amount=amount, currency="USD")
            self.tell(lambda: confirm_payment(command, store=self.store))
            self.paid.add((booking.booking_id, payment_id))

    @rule(number=numbers, payment_id=payment_ids)
    def a_payment_fails(self, number: int, payment_id: str) -> None:
        if booking := self.pick(number):
            command = FailPayment(**self.message(booking, payment_id), reason="declined")
            self.tell(lambda: fail_payment(command, store=self.store))

    @rule(number=numbers, payment_id=payment_ids, status=st.sampled_from([RefundStatus.COMPLETED, RefundStatus.FAILED]))
    def a_refund_is_answered(self, number: int, payment_id: str, status: RefundStatus) -> None:
        if booking := self.pick(number):
            command = AnswerRefund(**self.message(booking, payment_id), status=status)
            self.tell(lambda: answer_refund(command, store=self.store))

    @rule(number=numbers)
    def a_message_comes_again(self, number: int) -> None:
        if self.told:
            assert self.told[number % len(self.told)]() is False

    @rule(step=st.sampled_from(STEPS))
    def time_passes(self, step: timedelta) -> None:
        self.now += step

    @rule()
    def the_sweeper_comes(self) -> None:
        before = self.store.reads.statistics()
        assert expire(store=self.store).expired == before.overdue
        assert self.store.reads.statistics().by_status == before.by_status

    @rule(event=events, sure=st.integers(0, 4))
    def an_event_is_cancelled(self, event: TicketedEvent, sure: int) -> None:
        if sure != 3:  # seldom, or nothing else would happen
            return
        command = CancelEvent(event_id=event.event_id, reason="rain", administrator="admin", correlation_id=CORRELATION)
        preview = self.store.reads.cancellation_preview(event.event_id)
        done = cancel_event(command, store=self.store)
        assert (done.bookings, done.seats, done.refunds) == (preview.bookings, preview.seats, preview.refunds)
        assert self.store.reads.cancellation_preview(event.event_id).bookings == 0

    # -- what must hold ------------------------------------------------------------------------------------------------

    @invariant()
    def no_seat_has_two_live_claims(self) -> None:
        for event in EVENTS:
            live = [each for each in self.bookings() if each.event_id == event.event_id and each.status in LIVE]
            claims = Counter(seat_id for booking in live for seat_id in booking.seat_ids)
            assert all(number == 1 for number in claims.values())
            sold = {seat for each in live if each.status is Status.CONFIRMED for seat in each.seat_ids}
            for each in self.seat_map(event):
                seat_id = each.seat.seat_id
                held = SeatStatus.HELD if seat_id in claims else SeatStatus.AVAILABLE
                assert each.status is (SeatStatus.SOLD if seat_id in sold else held)

    @invariant()
    def no_payment_is_lost(self) -> None:
        refunds = Counter(self.requested_refunds())
        assert set(refunds) <= self.paid
        for booking_id, payment_id in self.paid:
            booking = self.booking(booking_id)
            assert booking.payments[payment_id].is_taken
            if refunds[booking_id, payment_id] == 0:
                assert booking.confirmed_by == payment_id
                assert booking.status is Status.CONFIRMED or self.was_kept(booking)
            else:
                assert refunds[booking_id, payment_id] == 1
                assert not (booking.status is Status.CONFIRMED and booking.confirmed_by == payment_id)

    @invariant()
    def what_is_confirmed_was_paid_in_full(self) -> None:
        for booking in self.bookings():
            if booking.status is Status.CONFIRMED:
                assert booking.payments[booking.confirmed_by or ""].amount == booking.total.amount

    @invariant()
    def nobody_has_more_than_three_pending(self) -> None:
        assert all(self.pending_of(user) <= 3 for user in USERS)

    @invariant()
    def the_total_is_the_sum(self) -> None:
        assert all(each.total.amount == sum(seat.price for seat in each.seats) for each in self.bookings())

    @invariant()
    def events_and_history_are_numbered_without_gaps(self) -> None:
        stored = self.store.outbox.everything()
        for booking_id in self.made:
            booking = self.booking(booking_id)
            sequences = [record.sequence for record in stored if record.key == booking_id]
            assert sequences == list(range(1, booking.sequence + 1))
            entries = self.store.reads.history(booking_id)
            assert [entry.number for entry in entries] == list(range(1, booking.revision + 1))
            assert all(after.from_status is before.to_status for before, after in pairwise(entries))

    @invariant()
    def the_end_is_the_end(self) -> None:
        for booking in self.bookings():
            end = booking.status, booking.cancelled_at, booking.cancellation_reason
            assert self.ended.get(booking.booking_id, end) == end
            if booking.status is Status.CANCELLED:
                self.ended[booking.booking_id] = end

    # -- words -----------------------------------------------------------------------------------------------------

    def booking(self, booking_id: UUID) -> Booking:
        snapshot = self.store.reads.booking(booking_id)
        assert snapshot is not None
        return snapshot.booking

    def bookings(self) -> list[Booking]:
        return [self.booking(booking_id) for booking_id in self.made]

    def pick(self, number: int) -> Booking | None:
        """One of the latest bookings, so that things keep happening to the same ones."""
        return self.booking(self.made[-1 - number % min(4, len(self.made))]) if self.made else None

    def pending_of(self, user: str) -> int:
        return sum(each.user_id == user and each.status is Status.PENDING for each in self.bookings())

    def seat_map(self, event: TicketedEvent) -> Any:
        return self.store.reads.seats(event.event_id).seats

    def is_closed(self, event: TicketedEvent) -> bool:
        known = self.store.reads.event(event.event_id)
        return known is not None and known.closed

    def message(self, booking: Booking, payment_id: str) -> dict[str, Any]:
        return {
            "message_id": uuid4(),
            "booking_id": booking.booking_id,
            "payment_id": payment_id,
            "correlation_id": CORRELATION,
        }

    def tell(self, apply: Callable[[], bool]) -> None:
        apply()
        self.told.append(apply)

    def requested_refunds(self) -> list[tuple[UUID, str]]:
        records = [each for each in self.store.outbox.everything() if each.event_type == "booking.refund_requested"]
        return [(each.key, json.loads(each.body)["payload"]["paymentId"]) for each in records]

    def was_kept(self, booking: Booking) -> bool:
        """BR-04: its customer gave it back 24 hours before the start or later."""
        event = next(each for each in EVENTS if each.event_id == booking.event_id)
        assert booking.cancelled_at is not None
        is_late = event.starts_at - booking.cancelled_at <= timedelta(hours=24)
        return booking.cancellation_reason is CancellationReason.USER_CANCELLED and is_late


def test_the_invariants_hold() -> None:
    # Some of what matters takes many steps to come about: never fewer than these, however short the profile.
    chosen = settings.default
    assert chosen is not None
    enough = settings(
        max_examples=max(chosen.max_examples, 80), stateful_step_count=max(chosen.stateful_step_count, 50)
    )
    run_state_machine_as_test(BookingMachine, settings=enough)
