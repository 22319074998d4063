"""What must be true of a booking after each thing that happens to it, whatever the order."""

from collections import Counter
from itertools import pairwise
from typing import Any, Final
from uuid import UUID

from attrs import define, evolve, field

from booking_core.contracts.wire import payload_of
from booking_core.domain.booking import Booking
from booking_core.domain.history import HistoryEntry
from booking_core.domain.lifecycle import Status
from booking_core.domain.payments import Payment
from booking_core.domain.policies import Facts, br_02_processing_deadline
from booking_core.domain.values import CancellationReason, RefundReason, SeatStatus
from booking_core.ports import OutboxRecord
from tests.integration.postgres.orders import LATE, SEATS, Play

_SAID_AT_THE_END: Final = {
    None: [],
    CancellationReason.EXPIRED: ["booking.expired", "booking.cancelled"],
    CancellationReason.PAYMENT_FAILED: ["booking.cancelled"],
    CancellationReason.USER_CANCELLED: ["booking.cancelled"],
    CancellationReason.EVENT_CANCELLED: [],
}


@define(eq=False)
class Watch:
    """Looks at a play again and again, and remembers what may never change any more."""

    play: Play
    _ends: dict[UUID, tuple[object, ...]] = field(factory=dict, init=False)
    _histories: dict[UUID, list[HistoryEntry]] = field(factory=dict, init=False)

    def look(self) -> None:
        """Fail if anything is not as it must be."""
        stored = [self.play.fixture.stored(booking) for booking in self.play.bookings]
        records = list(self.play.harness.events())
        for booking in stored:
            said = [record for record in records if record.key == booking.booking_id]
            self._terminal_stays_terminal(booking)
            self._history_is_complete(booking)
            self._events_have_no_gaps(booking, said)
            self._no_money_is_lost(booking, said)
        self._a_seat_has_one_live_booking(stored)
        of_event = [record for record in records if record.key == self.play.fixture.event.event_id]
        assert [record.sequence for record in of_event] in ([], [1]), "event.cancelled is said once"

    def _terminal_stays_terminal(self, stored: Booking) -> None:
        snapshot = self.play.harness.store.reads.booking(stored.booking_id)
        assert snapshot is not None
        seen = snapshot.booking
        if seen.status is not Status.CANCELLED:
            assert stored.booking_id not in self._ends, "a booking was revived"
            assert seen.status is stored.status
            return
        assert seen.cancelled_at is not None
        # Measured from its making: where time passes by ageing the rows, both move.
        end = seen.cancellation_reason, seen.cancelled_at - seen.created_at
        assert self._ends.setdefault(stored.booking_id, end) == end
        assert stored.status is Status.CANCELLED or stored.is_overdue(snapshot.now)
        if seen.cancellation_reason is CancellationReason.EXPIRED:
            assert seen.cancelled_at == _deadline(seen)

    def _history_is_complete(self, stored: Booking) -> None:
        history = list(self.play.harness.store.reads.history(stored.booking_id))
        assert [entry.number for entry in history] == list(range(1, stored.revision + 1))
        assert history[0].from_status is None
        assert history[-1].to_status is stored.status
        assert all(after.from_status is before.to_status for before, after in pairwise(history))
        timeless = [evolve(entry, at=stored.created_at.min) for entry in history]
        before = self._histories.get(stored.booking_id, [])
        assert timeless[: len(before)] == before, "history was rewritten"
        self._histories[stored.booking_id] = timeless

    def _events_have_no_gaps(self, stored: Booking, said: list[OutboxRecord]) -> None:
        assert [record.sequence for record in said] == list(range(1, stored.sequence + 1))
        types = [record.event_type for record in said if record.event_type != "booking.refund_requested"]
        confirmed = ["booking.confirmed"] if stored.confirmed_at else []
        assert types == ["booking.created", *confirmed, *_SAID_AT_THE_END[stored.cancellation_reason]]
        endings = [payload_of(record) for record in said if "releasedSeatIds" in payload_of(record)]
        assert all(each["releasedSeatIds"] == [str(seat) for seat in stored.seat_ids] for each in endings)

    def _no_money_is_lost(self, stored: Booking, said: list[OutboxRecord]) -> None:
        """Payments taken are those of confirmed bookings, those kept under BR-04, and those asked back, once each."""
        paid = {key: money for (of, key), money in self.play.paid.items() if of == stored.booking_id}
        taken = {key: payment for key, payment in stored.payments.items() if payment.is_taken}
        assert {key: (each.amount, each.currency) for key, each in taken.items()} == paid
        kept = {key for key, payment in taken.items() if payment.refund_reason is None}
        assert kept == ({stored.confirmed_by} if self._may_keep(stored) else set())
        refunds = [payload_of(record) for record in said if record.event_type == "booking.refund_requested"]
        assert Counter(each["paymentId"] for each in refunds) == Counter(taken.keys() - kept)
        for each in refunds:
            assert (each["amount"], each["currency"]) == paid[each["paymentId"]]
            assert each["reason"] == _reason(taken[each["paymentId"]])

    def _may_keep(self, stored: Booking) -> bool:
        if stored.status is Status.CONFIRMED:
            return True
        given_back = stored.cancellation_reason is CancellationReason.USER_CANCELLED
        return given_back and stored.confirmed_by is not None and self.play.days == LATE

    def _a_seat_has_one_live_booking(self, stored: list[Booking]) -> None:
        live = [booking for booking in stored if booking.is_live]
        assert len(live) <= 1, "all bookings of a play are over the same seats"
        now = self.play.harness.store.reads.now()
        status = SeatStatus.AVAILABLE
        if live and not live[0].is_overdue(now):
            status = SeatStatus.SOLD if live[0].status is Status.CONFIRMED else SeatStatus.HELD
        assert [self.play.fixture.seat_status(place) for place in range(SEATS)] == [status] * SEATS


def _deadline(booking: Booking) -> Any:
    started = booking.processing_started_at
    if started is None:
        return booking.expires_at
    return br_02_processing_deadline(Facts(now=started, deadline=booking.expires_at))


def _reason(payment: Payment) -> str:
    assert isinstance(payment.refund_reason, RefundReason)
    return payment.refund_reason.value
