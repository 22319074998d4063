"""The Booking aggregate: the seats one customer holds or owns at one event, and the payments for them.

State changes only through its verbs. Each takes `now` (the database's clock, read under the booking's lock) and the
cause, first settles an overdue hold, looks its outcome up in the one table of `lifecycle`, and records what happened:
events for the outbox and entries for the history.
"""

from datetime import datetime
from decimal import Decimal
from typing import Any, Self
from uuid import UUID

from attrs import define, evolve, field

from booking_core.domain.errors import BookingNotCancellable, PaymentInProgress, Refusal
from booking_core.domain.events import (
    BookingCancelled,
    BookingConfirmed,
    BookingCreated,
    BookingExpired,
    RefundRequested,
)
from booking_core.domain.history import Recorder
from booking_core.domain.identity import new_booking_id, new_ticket_reference, slot_of_booking
from booking_core.domain.lifecycle import LIVE, TRANSITIONS, Moves, Outcome, Refunds, Refuses, Status, Trigger
from booking_core.domain.payments import Payment, PaymentStatus, RefundStatus
from booking_core.domain.policies import br_02_is_overdue, br_02_processing_deadline, br_04_full_refund
from booking_core.domain.values import (
    CancellationReason,
    Cause,
    Money,
    RefundReason,
    Seat,
    Terms,
    TicketedEvent,
    total_of,
)

_REFUSALS: dict[str, type[Refusal]] = {kind.code: kind for kind in (PaymentInProgress, BookingNotCancellable)}


@define(eq=False, kw_only=True)
class Booking(Recorder):
    """One booking. Equal only to itself; never revived, never deleted.

    `seats` are sorted by id and keep the prices of the moment of reserving. `deadline` is set while the booking is on
    hold, and None otherwise.
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

    # -- reserving -----------------------------------------------------------------------------------------------

    @classmethod
    def reserve(
        cls, *, user_id: str, event: TicketedEvent, seats: tuple[Seat, ...], now: datetime, terms: Terms, cause: Cause
    ) -> Self:
        """A new PENDING booking over `seats` with `booking.created` (US-01, FR-04, FR-05, FR-06)."""
        expires_at = now + terms.payment_window
        seats = tuple(sorted(seats, key=lambda seat: seat.seat_id))
        booking = cls(
            booking_id=new_booking_id(now, event.event_id),
            event_id=event.event_id,
            user_id=user_id,
            status=Status.PENDING,
            seats=seats,
            total=Money(amount=total_of(seats), currency=event.currency),
            created_at=now,
            expires_at=expires_at,
            deadline=expires_at,
            correlation_id=cause.correlation_id,
        )
        booking._note(Trigger.RESERVE, None, now, cause)
        booking._say(
            BookingCreated,
            now,
            cause.correlation_id,
            event_id=event.event_id,
            seat_ids=booking.seat_ids,
            total=booking.total,
            expires_at=expires_at,
        )
        return booking

    # -- looking -------------------------------------------------------------------------------------------------

    @property
    def seat_ids(self) -> tuple[UUID, ...]:
        """The ids of its seats, sorted."""
        return tuple(seat.seat_id for seat in self.seats)

    @property
    def is_live(self) -> bool:
        """It owns its seats (as last written; see `is_overdue`)."""
        return self.status in LIVE

    def is_overdue(self, now: datetime) -> bool:
        """BR-02: it is on hold and its deadline has come."""
        return br_02_is_overdue(self.status, self.deadline, now)

    def as_of(self, now: datetime) -> "Booking":
        """A copy that shows what the booking is at `now`: an overdue hold is CANCELLED/EXPIRED, swept or not."""
        copy = evolve(
            self,
            payments={key: evolve(payment) for key, payment in self.payments.items()},
            new_events=[],
            new_history=[],
        )
        if copy.is_overdue(now):
            copy._end(CancellationReason.EXPIRED, copy.deadline or now)
        return copy

    # -- time ----------------------------------------------------------------------------------------------------

    def expire(self, now: datetime, cause: Cause) -> bool:
        """TIME: end the hold if its deadline has come (BR-02, FR-15 to FR-17). True if this ended it.

        `cancelled_at` is the deadline, whenever this is called; events and history carry the booking's correlation.
        """
        if not self.is_overdue(now):
            return False
        cause = evolve(cause, correlation_id=self.correlation_id)
        before, ended_at = self.status, self.deadline or now
        self._end(CancellationReason.EXPIRED, ended_at)
        self._note(Trigger.EXPIRY, before, now, cause)
        self._say(BookingExpired, now, cause.correlation_id, **self._released())
        self._say(BookingCancelled, now, cause.correlation_id, **self._released())
        return True

    # -- payments ------------------------------------------------------------------------------------------------

    def start_payment(self, payment_id: str, now: datetime, terms: Terms, cause: Cause) -> None:
        """PAYMENT_PROCESSING: PENDING becomes PROCESSING with a deadline of its own; a repeat changes nothing."""
        self.expire(now, cause)
        if self._has_taken(payment_id):
            return
        outcome = self._outcome(Trigger.PAYMENT_PROCESSING)
        if not isinstance(outcome, Moves):
            return
        self.payments.setdefault(
            payment_id, Payment(payment_id=payment_id, status=PaymentStatus.PROCESSING, recorded_at=now)
        )
        self.processing_started_at = now
        self.deadline = br_02_processing_deadline(self.expires_at, now, terms.processing_timeout)
        self._move(outcome, Trigger.PAYMENT_PROCESSING, now, cause, payment_id)

    def confirm(self, payment_id: str, paid: Money, now: datetime, cause: Cause) -> None:
        """PAYMENT_SUCCESS: take the payment (once, FR-11); confirm the booking (FR-09, FR-10) or ask the money back.

        Money that cannot be honoured leaves the booking as it is and is never dropped: exactly one refund request.
        """
        self.expire(now, cause)
        if self._has_taken(payment_id):
            return
        payment = self.payments.setdefault(
            payment_id, Payment(payment_id=payment_id, status=PaymentStatus.TAKEN, recorded_at=now)
        )
        payment.status, payment.taken_at = PaymentStatus.TAKEN, now
        payment.amount, payment.currency = paid.amount, paid.currency
        outcome: Outcome | None = self._outcome(Trigger.PAYMENT_SUCCESS)
        if isinstance(outcome, Moves) and paid != self.total:
            outcome = outcome.otherwise
        if isinstance(outcome, Refunds):
            self._note(Trigger.PAYMENT_SUCCESS, self.status, now, cause, payment_id, outcome.reason.value)
            self._request_refund(payment, outcome.reason, now, cause)
        elif isinstance(outcome, Moves):
            self.confirmed_at, self.confirmed_by, self.deadline = now, payment_id, None
            self.ticket_reference = new_ticket_reference(slot_of_booking(self.booking_id))
            self._move(outcome, Trigger.PAYMENT_SUCCESS, now, cause, payment_id)
            self._say(
                BookingConfirmed,
                now,
                cause.correlation_id,
                ticket_reference=self.ticket_reference,
                confirmed_at=now,
            )

    def fail_payment(self, payment_id: str, reason: str, now: datetime, cause: Cause) -> None:
        """PAYMENT_FAILED: a hold ends and its seats are free (FR-12, FR-13); after a success it changes nothing."""
        self.expire(now, cause)
        if self._has_taken(payment_id):
            return
        outcome = self._outcome(Trigger.PAYMENT_FAILED)
        if not isinstance(outcome, Moves) or outcome.reason is None:
            return
        payment = self.payments.setdefault(
            payment_id, Payment(payment_id=payment_id, status=PaymentStatus.FAILED, recorded_at=now)
        )
        payment.status = PaymentStatus.FAILED
        before = self.status
        self._end(outcome.reason, now)
        self._note(Trigger.PAYMENT_FAILED, before, now, cause, payment_id, reason)
        self._say(BookingCancelled, now, cause.correlation_id, **self._released())

    def answer_refund(self, payment_id: str, status: RefundStatus, reason: str, now: datetime, cause: Cause) -> bool:
        """REFUND_ANSWERED: what became of a refund. False if no refund was asked for, or its answer was final."""
        self.expire(now, cause)
        payment = self.payments.get(payment_id)
        if payment is None or status is RefundStatus.REQUESTED:
            return False
        if payment.refund_status in (None, RefundStatus.COMPLETED, status):
            return False
        payment.refund_status, payment.refund_answered_at = status, now
        note = f"{status.value}: {reason}" if reason else status.value
        self._note(Trigger.REFUND_ANSWERED, self.status, now, cause, payment_id, note)
        return True

    # -- cancelling ----------------------------------------------------------------------------------------------

    def cancel(self, now: datetime, event_starts_at: datetime, cause: Cause) -> None:
        """CUSTOMER_CANCELS (US-03, BR-04). Once more after success changes nothing.

        Raises PaymentInProgress, or BookingNotCancellable if it ended otherwise or the event has started.
        """
        self.expire(now, cause)
        if self.cancellation_reason is CancellationReason.USER_CANCELLED:
            return
        outcome: Outcome | None = self._outcome(Trigger.CUSTOMER_CANCELS)
        was_confirmed = self.status is Status.CONFIRMED
        if isinstance(outcome, Moves) and was_confirmed and event_starts_at <= now:
            outcome = outcome.otherwise
        if isinstance(outcome, Refuses):
            raise _REFUSALS[outcome.code]()
        before = self.status
        self._end(CancellationReason.USER_CANCELLED, now)
        self._note(Trigger.CUSTOMER_CANCELS, before, now, cause)
        self._say(BookingCancelled, now, cause.correlation_id, **self._released())
        if was_confirmed and br_04_full_refund(event_starts_at, now):
            self._request_refund(self.payments[self.confirmed_by or ""], RefundReason.USER_CANCELLED, now, cause)

    def cancel_for_event(self, now: datetime, cause: Cause) -> bool:
        """EVENT_CANCELLED (spec 6.4): end it and ask back every payment taken and not yet asked back.

        True if this ended it; an overdue hold expires instead. The 24 hours of BR-04 are set aside, and no
        `booking.cancelled` is said.
        """
        self.expire(now, cause)
        outcome = self._outcome(Trigger.EVENT_CANCELLED)
        if not isinstance(outcome, Moves) or outcome.reason is None:
            return False
        before = self.status
        self._end(outcome.reason, now)
        self._note(Trigger.EVENT_CANCELLED, before, now, cause)
        for payment in self.payments.values():
            if payment.is_taken and payment.refund_reason is None:
                self._request_refund(payment, RefundReason.EVENT_CANCELLED, now, cause)
        return True

    # -- inside --------------------------------------------------------------------------------------------------

    def _has_taken(self, payment_id: str) -> bool:
        known = self.payments.get(payment_id)
        return known is not None and known.is_taken

    def _outcome(self, trigger: Trigger) -> Outcome:
        return TRANSITIONS[self.status][trigger]

    def _move(self, outcome: Moves, trigger: Trigger, now: datetime, cause: Cause, payment_id: str) -> None:
        before, self.status = self.status, outcome.to
        self._note(trigger, before, now, cause, payment_id)

    def _end(self, reason: CancellationReason, at: datetime) -> None:
        self.status, self.cancellation_reason = Status.CANCELLED, reason
        self.cancelled_at, self.deadline = at, None

    def _released(self) -> dict[str, Any]:
        return {"reason": self.cancellation_reason, "released_seat_ids": self.seat_ids}

    def _request_refund(self, payment: Payment, reason: RefundReason, now: datetime, cause: Cause) -> None:
        payment.refund_reason, payment.refund_status = reason, RefundStatus.REQUESTED
        payment.refund_requested_at = now
        refund = Money(amount=payment.amount or Decimal(0), currency=payment.currency or self.total.currency)
        self._say(
            RefundRequested, now, cause.correlation_id, payment_id=payment.payment_id, refund=refund, reason=reason
        )
