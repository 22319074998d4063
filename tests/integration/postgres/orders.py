"""One booking, and whatever can happen to it in whichever order, played in a store; and the story that is left.

The same orders are played in PostgreSQL and in memory, with the same messages, so that the two stories can be compared.
"""

from collections.abc import Callable, Iterator
from datetime import timedelta
from decimal import Decimal
from enum import Enum
from itertools import chain, permutations
from typing import Any, Final
from uuid import UUID

from attrs import asdict, define, field

from booking_core.application import answer_refund, cancel_event, confirm_payment, expire, fail_payment, start_payment
from booking_core.contracts.harness import StoreHarness
from booking_core.contracts.store.fixture import CORRELATION, StoreFixture
from booking_core.contracts.wire import payload_of
from booking_core.domain.booking import Booking
from booking_core.domain.commands import (
    AnswerRefund,
    CancelEvent,
    ConfirmPayment,
    FailPayment,
    PaymentCommand,
    StartPayment,
)
from booking_core.domain.errors import Refusal
from booking_core.domain.payments import RefundStatus
from booking_core.domain.values import Terms

SEATS: Final = 2
EARLY, LATE = 30.0, 0.5
"""How many days before the event's start it is: BR-04 gives money back in the one case, and keeps it in the other."""
# Later than every deadline, whatever was said about the payment; the shorter one lies between the two deadlines.
PAST_EVERY_DEADLINE, SOME_TIME = 901.0, 350.0


class Happening(Enum):
    """What can happen to a booking; a rival wants its seats, and pays at once if it gets them."""

    SUCCESS = "success"
    SUCCESS_AGAIN = "success again"
    FAILED = "failed"
    PROCESSING = "processing"
    OTHER_PAYMENT = "other payment"
    EXPIRY = "expiry"
    CUSTOMER_CANCELS = "cancel"
    EVENT_CANCELLED = "event cancelled"
    REDELIVERY = "redelivery"
    SWEEP = "sweep"
    RIVAL = "rival"
    SOME_TIME = "some time"
    TOO_LITTLE = "too little"
    OTHER_CURRENCY = "other currency"
    REFUND_FAILED = "refund failed"
    REFUND_COMPLETED = "refund completed"


Order = tuple[Happening, ...]

EVERY: Final = tuple(Happening)
PERMUTED: Final = EVERY[: EVERY.index(Happening.SOME_TIME)]
"""Those whose every permutation is tried."""


def orders(longest: int) -> Iterator[tuple[Order, float]]:
    """Every permutation of up to so many different happenings, and the days before the start that matter to it."""
    for order in chain.from_iterable(permutations(PERMUTED, length) for length in range(longest + 1)):
        yield order, EARLY
        if Happening.CUSTOMER_CANCELS in order:
            yield order, LATE


@define(eq=False)
class Play:
    """A booking over all seats of an event, in an empty store, and what has happened since.

    `bookings` are the first one and those of its rivals; `paid` is every payment that was told to have succeeded.
    `outcomes` says what each happening was answered with.
    """

    harness: StoreHarness
    days: float
    fixture: StoreFixture = field(init=False)
    bookings: list[Booking] = field(factory=list, init=False)
    paid: dict[tuple[UUID, str], tuple[Decimal, str]] = field(factory=dict, init=False)
    told: list[Callable[[], bool]] = field(factory=list, init=False)
    outcomes: list[str] = field(factory=list, init=False)

    def __attrs_post_init__(self) -> None:
        self.fixture = StoreFixture.of(self.harness, seats=SEATS, days=self.days)
        self.bookings.append(self.fixture.reserve(*range(SEATS)))

    @property
    def first(self) -> Booking:
        """The booking that things happen to, as it was made."""
        return self.bookings[0]

    def happen(self, what: Happening) -> None:
        """One step."""
        try:
            self.outcomes.append(str(self._act(what)))
        except Refusal as refusal:
            self.outcomes.append(refusal.code)

    def _act(self, what: Happening) -> object:
        match what:
            case Happening.SUCCESS | Happening.SUCCESS_AGAIN:
                return self._pay(self.first, "pay-1")
            case Happening.OTHER_PAYMENT:
                return self._pay(self.first, "pay-2")
            case Happening.TOO_LITTLE:
                return self._pay(self.first, "pay-3", amount=Decimal("1.00"))
            case Happening.OTHER_CURRENCY:
                return self._pay(self.first, "pay-4", currency="EUR")
            case Happening.PROCESSING:
                command = StartPayment(**self._message(self.first, "pay-1"))
                return self._tell(lambda: start_payment(command, store=self.harness.store, terms=Terms()))
            case Happening.FAILED:
                return self._tell_of(FailPayment(**self._message(self.first, "pay-1"), reason="declined"), fail_payment)
            case Happening.REFUND_FAILED | Happening.REFUND_COMPLETED:
                status = RefundStatus.FAILED if what is Happening.REFUND_FAILED else RefundStatus.COMPLETED
                return self._tell_of(AnswerRefund(**self._message(self.first, "pay-1"), status=status), answer_refund)
            case Happening.REDELIVERY:
                return [again() for again in self.told]
            case Happening.EXPIRY | Happening.SOME_TIME:
                self.harness.advance(PAST_EVERY_DEADLINE if what is Happening.EXPIRY else SOME_TIME)
                return None
            case Happening.SWEEP:
                return expire(store=self.harness.store)
            case Happening.CUSTOMER_CANCELS:
                return self.fixture.cancel(self.first).status
            case Happening.EVENT_CANCELLED:
                return self._cancel_event()
            case Happening.RIVAL:
                self.bookings.append(self.fixture.reserve(*range(SEATS), user=f"rival-{len(self.bookings)}"))
                return self._pay(self.bookings[-1], "pay-1")

    def _pay(self, booking: Booking, payment_id: str, amount: Decimal | None = None, currency: str = "USD") -> bool:
        paid = amount or booking.total.amount
        self.paid[booking.booking_id, payment_id] = paid, currency
        command = ConfirmPayment(**self._message(booking, payment_id), amount=paid, currency=currency)
        return self._tell_of(command, confirm_payment)

    def _tell_of(self, command: PaymentCommand, use_case: Callable[..., bool]) -> bool:
        return self._tell(lambda: use_case(command, store=self.harness.store))

    def _tell(self, message: Callable[[], bool]) -> bool:
        self.told.append(message)
        return message()

    def _message(self, booking: Booking, payment_id: str) -> dict[str, Any]:
        # The same ids in every store: the history names them.
        number = UUID(int=1 + len(self.told))
        return {
            "message_id": number,
            "booking_id": booking.booking_id,
            "payment_id": payment_id,
            "correlation_id": f"payment-{number.int}",
        }

    def _cancel_event(self) -> object:
        command = CancelEvent(
            event_id=self.fixture.event.event_id, reason="rain", administrator="admin", correlation_id=CORRELATION
        )
        done = cancel_event(command, store=self.harness.store)
        return done.bookings, done.seats, done.refunds

    # -- what is left --------------------------------------------------------------------------------------------------

    def story(self) -> dict[str, Any]:
        """Everything that does not depend on the moment or on ids made by chance; the same in every store."""
        statistics = self.harness.store.reads.statistics()
        return {
            "outcomes": self.outcomes,
            "seats": [self.fixture.seat_status(place) for place in range(SEATS)],
            "event": [self._payload(each) for each in self._records(self.fixture.event.event_id)],
            "by status": {status: number for status, number in statistics.by_status.items() if number},
            "overdue": statistics.overdue,
            "bookings": [self._story_of(booking) for booking in self.bookings],
        }

    def _story_of(self, made: Booking) -> dict[str, Any]:
        stored = self.fixture.stored(made)
        history = self.harness.store.reads.history(made.booking_id)
        return {
            "status": (stored.status, stored.cancellation_reason, stored.confirmed_by),
            "ticket": stored.ticket_reference is not None,
            "times": _spans(stored),
            "payments": sorted(_payment(each) for each in stored.payments.values()),
            "history": [asdict(entry, filter=lambda column, _: column.name != "at") for entry in history],
            "said": [
                (each.sequence, each.event_type, each.correlation_id, self._payload(each))
                for each in self._records(made.booking_id)
            ],
        }

    def _records(self, key: UUID) -> list[Any]:
        return [record for record in self.harness.events() if record.key == key]

    def _payload(self, record: Any) -> dict[str, Any]:
        places = {str(seat.seat_id): place for place, seat in enumerate(self.fixture.seats)}
        told = {name: value for name, value in payload_of(record).items() if name not in _BY_CHANCE}
        return {
            name: [places[each] for each in value] if isinstance(value, list) else value for name, value in told.items()
        }


_BY_CHANCE: Final = frozenset({"bookingId", "eventId", "ticketReference", "expiresAt", "confirmedAt", "cancelledAt"})


def _payment(payment: Any) -> tuple[str, ...]:
    status, reason, refund = payment.status.value, payment.refund_reason, payment.refund_status
    return payment.payment_id, status, str(payment.amount), str(payment.currency), str(reason), str(refund)


def _spans(booking: Booking) -> tuple[bool | timedelta | None, ...]:
    """Which moments are set; that of a deadline does not depend on when it was looked at."""
    started, confirmed, cancelled = booking.processing_started_at, booking.confirmed_at, booking.cancelled_at
    return booking.expires_at - booking.created_at, started is not None, confirmed is not None, cancelled is not None
