"""The Booking aggregate: the seats that one customer holds or owns at one event, and the payments for them.

The state changes only through the verbs. A verb takes `now` (the database's clock, read under the booking's lock) and
the cause. It first ends an overdue hold, then gathers facts and applies the table in `lifecycle`. What
happened is recorded: events for the outbox, entries of the history.
"""

from datetime import datetime
from typing import Self
from uuid import UUID

from attrs import define, evolve, field

from booking_core.domain.events import (
    BookingCancelled,
    BookingConfirmed,
    BookingCreated,
    BookingEvent,
    EventHeader,
    RefundRequested,
)
from booking_core.domain.history import HistoryEntry
from booking_core.domain.identity import new_booking_id, new_id, new_ticket_reference, slot_of_booking
from booking_core.domain.lifecycle import LIVE, RESERVED, TRANSITIONS, Becomes, Status, Stays, Trigger
from booking_core.domain.payments import Payment, PaymentStatus, RefundStatus, money_meant
from booking_core.domain.policies import Facts, br_02_is_overdue, br_02_payment_window
from booking_core.domain.values import (
    CancellationReason,
    Cause,
    Money,
    RefundChoice,
    RefundReason,
    Seat,
    Terms,
    TicketedEvent,
    in_reading_order,
    total_of,
)


@define(eq=False, kw_only=True)
class Booking:
    """One booking. Equal only to itself; never revived, never deleted.

    `seats` are in reading order and keep the prices of the moment of reserving. `deadline` is set while the booking is
    on hold, and None otherwise. `revision` is the number of the last history entry, `sequence` that of the last event;
    both count from 1. `new_events` and `new_history` were recorded since the booking was loaded.
    """

    booking_id: UUID
    event_id: UUID
    user_id: str
    status: Status
    seats: tuple[Seat, ...]
    total: Money
    created_at: datetime
    expires_at: datetime
    deadline: datetime | None
    correlation_id: str
    processing_started_at: datetime | None = None
    confirmed_at: datetime | None = None
    ticket_reference: str | None = None
    confirmed_by: str | None = None
    cancelled_at: datetime | None = None
    cancellation_reason: CancellationReason | None = None
    payments: dict[str, Payment] = field(factory=dict)
    revision: int = 0
    sequence: int = 0
    new_events: list[BookingEvent] = field(factory=list)
    new_history: list[HistoryEntry] = field(factory=list)

    # -- the verbs -------------------------------------------------------------------------------------------------

    @classmethod
    def reserve(
        cls, *, user_id: str, event: TicketedEvent, seats: tuple[Seat, ...], now: datetime, terms: Terms, cause: Cause
    ) -> Self:
        """RESERVE: make a PENDING booking over `seats` with `booking.created` (US-01, FR-04, FR-05, FR-06)."""
        facts = Facts(now=now, terms=terms)
        total = Money(amount=total_of(seats), currency=event.currency)
        if not total.fits:  # the catalog calculates with binary fractions
            total = money_meant(total.amount, total.currency)
        seats = in_reading_order(seats)
        booking = cls(
            booking_id=new_booking_id(now, event.event_id),
            event_id=event.event_id,
            user_id=user_id,
            status=RESERVED.to,
            seats=seats,
            total=total,
            created_at=now,
            expires_at=br_02_payment_window(facts),
            deadline=None,
            correlation_id=cause.correlation_id,
        )
        booking._apply(Trigger.RESERVE, facts, cause)
        return booking

    def expire(self, now: datetime, cause: Cause) -> bool:
        """EXPIRY: end the hold if it is overdue (BR-02, FR-15 to FR-17). True if this call ended it.

        `cancelled_at` is the deadline, whenever this is called; events and history carry the booking's correlation.
        """
        own = Cause(actor=cause.actor, actor_id=cause.actor_id, correlation_id=self.correlation_id)
        return self._apply(Trigger.EXPIRY, Facts(now=now, deadline=self.deadline), own)

    def start_payment(self, payment_id: str, now: datetime, terms: Terms, cause: Cause) -> None:
        """PAYMENT_PROCESSING: a PENDING booking becomes PROCESSING with a deadline of its own (spec 6.2)."""
        self.expire(now, cause)
        facts = Facts(now=now, terms=terms, deadline=self.deadline, payment_id=payment_id, payments=self.payments)
        self._apply(Trigger.PAYMENT_PROCESSING, facts, cause)

    def confirm(self, payment_id: str, paid: Money, now: datetime, cause: Cause) -> None:
        """PAYMENT_SUCCESS: take the payment (once, FR-11); confirm the booking (FR-09, FR-10) or request a refund.

        A payment that cannot be honoured leaves the booking as it is and is never dropped: one refund is requested,
        unless the amount is nothing.
        """
        self.expire(now, cause)
        facts = Facts(now=now, total=self.total, paid=paid, payment_id=payment_id, payments=self.payments)
        self._apply(Trigger.PAYMENT_SUCCESS, facts, cause)

    def fail_payment(self, payment_id: str, reason: str, now: datetime, cause: Cause) -> None:
        """PAYMENT_FAILED: end a hold and release its seats (FR-12, FR-13)."""
        self.expire(now, cause)
        facts = Facts(now=now, payment_id=payment_id, payments=self.payments)
        self._apply(Trigger.PAYMENT_FAILED, facts, cause, reason)

    def answer_refund(self, payment_id: str, status: RefundStatus, reason: str, now: datetime, cause: Cause) -> bool:
        """REFUND_ANSWERED: record the outcome of a refund. False if none was requested or its outcome was final."""
        self.expire(now, cause)
        facts = Facts(now=now, payment_id=payment_id, payments=self.payments, answer=status)
        note = f"{status.value}: {reason}" if reason else status.value
        if not self._apply(Trigger.REFUND_ANSWERED, facts, cause, note):
            return False
        payment = self.payments[payment_id]
        payment.refund_status, payment.refund_answered_at = status, now
        return True

    def cancel(self, now: datetime, event_starts_at: datetime | None, cause: Cause, note: str = "") -> None:
        """CUSTOMER_CANCELS: cancel the booking (US-03, BR-04). Repeating it changes nothing.

        `event_starts_at` is None if the event is unknown; `note` is for the history. Raises PaymentInProgress, or
        BookingNotCancellable if the booking has ended otherwise or the event has started.
        """
        self.expire(now, cause)
        facts = Facts(
            now=now, event_starts_at=event_starts_at, cancelled_for=self.cancellation_reason, payments=self.payments
        )
        self._apply(Trigger.CUSTOMER_CANCELS, facts, cause, note)

    def cancel_by_operator(
        self, now: datetime, event_starts_at: datetime | None, refund: RefundChoice, reason: str, cause: Cause
    ) -> None:
        """OPERATOR_CANCELS: cancel the booking, also after the start, with the refund as chosen.

        Repeating it changes nothing. Raises PaymentInProgress, or BookingNotCancellable if it has ended otherwise.
        """
        self.expire(now, cause)
        before, kept = self.cancellation_reason, self.payments
        facts = Facts(now=now, event_starts_at=event_starts_at, cancelled_for=before, payments=kept, refund=refund)
        self._apply(Trigger.OPERATOR_CANCELS, facts, cause, reason)

    def release(self, now: datetime, reason: str, cause: Cause) -> None:
        """OPERATOR_RELEASES: end a hold that no payment has begun for. Raises as `cancel_by_operator`."""
        self.expire(now, cause)
        facts = Facts(now=now, cancelled_for=self.cancellation_reason)
        self._apply(Trigger.OPERATOR_RELEASES, facts, cause, reason)

    def cancel_for_event(self, now: datetime, cause: Cause) -> bool:
        """EVENT_CANCELLED: end the booking and refund every payment (spec 6.4). True if this call ended it.

        An overdue hold expires instead.
        """
        self.expire(now, cause)
        return self._apply(Trigger.EVENT_CANCELLED, Facts(now=now, payments=self.payments), cause)

    # -- what it is ------------------------------------------------------------------------------------------------

    @property
    def seat_ids(self) -> tuple[UUID, ...]:
        """The ids of the seats, in the order of `seats`."""
        return tuple([seat.seat_id for seat in self.seats])

    @property
    def is_live(self) -> bool:
        """Whether the booking owns its seats, as last written; see `is_overdue`."""
        return self.status in LIVE

    @property
    def loaded_revision(self) -> int:
        """The revision that the store holds, for its compare-and-set; 0 for a booking that was never stored."""
        return self.revision - len(self.new_history)

    def is_overdue(self, now: datetime) -> bool:
        """BR-02: whether the booking is on hold and its deadline has come."""
        return br_02_is_overdue(Facts(now=now, deadline=self.deadline))

    def as_of(self, now: datetime) -> "Booking":
        """A copy that shows the booking at `now`: an overdue hold is CANCELLED/EXPIRED, written or not."""
        payments = {key: evolve(payment) for key, payment in self.payments.items()}
        copy = evolve(self, payments=payments, new_events=[], new_history=[])
        facts = Facts(now=now, deadline=self.deadline)
        outcome = copy._outcome(Trigger.EXPIRY, facts)
        if isinstance(outcome, Becomes):
            copy._enter(outcome, facts)
        return copy

    # -- the table, executed ---------------------------------------------------------------------------------------

    def _outcome(self, trigger: Trigger, facts: Facts) -> Becomes | Stays | None:
        """Look up the outcome in the table. Raises the refusal that it names."""
        outcome = TRANSITIONS[self.status if self.revision else None][trigger]
        if isinstance(outcome, tuple):
            outcome = next(case for guard, case in outcome if guard(facts))
        if isinstance(outcome, type):
            raise outcome()
        return outcome

    def _apply(self, trigger: Trigger, facts: Facts, cause: Cause, note: str = "") -> bool:
        """Apply the outcome of this trigger and record it; False if the outcome is nothing."""
        outcome = self._outcome(trigger, facts)
        if outcome is None:
            return False
        if outcome.payment is not None:
            self._record_payment(outcome.payment, facts)
        before = self.status if self.revision else None
        publishes: tuple[type[BookingEvent], ...] = ()
        if isinstance(outcome, Becomes):
            self._enter(outcome, facts)
            publishes = outcome.publishes
        elif outcome.refund is not None:
            note = outcome.refund.reason.value
        self.revision += 1
        self.new_history.append(
            HistoryEntry(
                number=self.revision,
                at=facts.now,
                trigger=trigger,
                from_status=before,
                to_status=self.status,
                actor=cause.actor,
                actor_id=cause.actor_id,
                correlation_id=cause.correlation_id,
                payment_id=facts.payment_id,
                note=note,
            )
        )
        for kind in publishes:
            self._publish(kind, facts.now, cause)
        if outcome.refund is not None:
            for payment in outcome.refund.payments(facts):
                self._request_refund(payment, outcome.refund.reason, facts.now, cause)
        return True

    def _enter(self, outcome: Becomes, facts: Facts) -> None:
        at = outcome.at(facts)
        self.status, self.cancellation_reason = outcome.to, outcome.reason
        self.deadline = outcome.until(facts) if outcome.until else None
        match outcome.to:
            case Status.PROCESSING:
                self.processing_started_at = at
            case Status.CONFIRMED:
                self.confirmed_at, self.confirmed_by = at, facts.payment_id
                self.ticket_reference = new_ticket_reference(slot_of_booking(self.booking_id))
            case Status.CANCELLED:
                self.cancelled_at = at

    def _record_payment(self, status: PaymentStatus, facts: Facts) -> None:
        payment_id = facts.payment_id or ""
        new = Payment(payment_id=payment_id, status=status, recorded_at=facts.now)
        payment = self.payments.setdefault(payment_id, new)
        payment.status = status
        if facts.paid is not None:
            payment.taken_at = facts.now
            payment.amount, payment.currency = facts.paid.amount, facts.paid.currency

    def _request_refund(self, payment: Payment, reason: RefundReason, now: datetime, cause: Cause) -> None:
        refund = payment.refundable
        if refund is None:
            return
        payment.refund_reason, payment.refund_status = reason, RefundStatus.REQUESTED
        payment.refund_requested_at = now
        header = self._header(now, cause)
        self.new_events.append(RefundRequested(**header, payment_id=payment.payment_id, refund=refund, reason=reason))

    def _publish(self, kind: type[BookingEvent], now: datetime, cause: Cause) -> None:
        header = self._header(now, cause)
        event: BookingEvent
        if kind is BookingCreated:
            event = BookingCreated(
                **header, event_id=self.event_id, seat_ids=self.seat_ids, total=self.total, expires_at=self.expires_at
            )
        elif kind is BookingConfirmed:
            event = BookingConfirmed(
                **header, ticket_reference=self.ticket_reference or "", confirmed_at=self.confirmed_at or now
            )
        elif issubclass(kind, BookingCancelled) and self.cancellation_reason is not None:
            event = kind(**header, reason=self.cancellation_reason, released_seat_ids=self.seat_ids)
        else:
            raise NotImplementedError(kind)
        self.new_events.append(event)

    def _header(self, now: datetime, cause: Cause) -> EventHeader:
        self.sequence += 1
        return {
            "message_id": new_id(now),
            "timestamp": now,
            "correlation_id": cause.correlation_id,
            "sequence": self.sequence,
            "booking_id": self.booking_id,
            "user_id": self.user_id,
        }
