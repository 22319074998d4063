"""Values of the domain: money, seats, ticketed events, causes. Frozen, compared by content, and valid once made.

The validators of commands are here too, so that a text is checked in one way.
"""

import re
from collections.abc import Iterable
from datetime import datetime, timedelta
from decimal import Context, Decimal, localcontext
from enum import Enum
from functools import lru_cache
from typing import Any, Final
from uuid import UUID

from attrs import Attribute, field, frozen

from booking_core.domain.errors import InvalidValue

# ISO 4217 minor units; every other currency has two decimals.
_DECIMALS: Final = (
    dict.fromkeys("BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF".split(), 0)
    | dict.fromkeys("BHD IQD JOD KWD LYD OMR TND".split(), 3)
    | dict.fromkeys("CLF UYW".split(), 4)
)
_AMOUNTS: Final = 4096  # amounts whose text is cached
_CURRENCY: Final = re.compile(r"[A-Z]{3}")
# Payment services count the smallest units in 64 bits, so no payment is larger.
MAX_AMOUNT: Final = Decimal(10) ** 18
_MOST_DECIMALS: Final = 18  # of a price
# More digits than any sum of prices has.
_EXACT_DIGITS: Final = 100
_EXACT: Final = Context(prec=_EXACT_DIGITS)
MAX_TEXT: Final = 255  # characters
_ROWS: Final = 4096  # rows of seats whose key is cached; a hall has some hundred
_DIGITS: Final = re.compile("[0-9]+")
_UPPER: Final = {lower: lower - 32 for lower in range(ord("a"), ord("z") + 1)}
DIGITS_IN_KEY: Final = 20  # longer numbers in the names of rows are compared digit by digit
_FIRST_YEAR: Final = 1900
_LAST_YEAR: Final = 9000
# A reason is for people. It is cut, so that the message it explains does not fail for its length.
MAX_REASON: Final = 1000
_NOT_STORABLE: Final = re.compile("[\x00\ud800-\udfff]")
# So that the total of ten seats is an amount of 12 digits, which a double holds to the hundredth.
MAX_PRICE: Final = Decimal(10) ** 11


def decimals_of(currency: str) -> int:
    """The number of decimals of amounts in this currency (ISO 4217)."""
    return _DECIMALS.get(currency, 2)


def written_in(amount: Decimal, currency: str) -> Decimal:
    """The amount with the currency's decimals (`150.00`, JPY `500`); no significant digit is lost."""
    return _written_with(amount, decimals_of(currency))


@lru_cache(maxsize=_AMOUNTS)
def _written_with(amount: Decimal, decimals: int) -> Decimal:
    """Write an amount; cached, because most seats share a few prices."""
    exponent = -decimals
    with localcontext(prec=_EXACT_DIGITS):  # the caller's own may keep fewer digits
        plain = abs(amount).normalize()
        written = plain.as_tuple().exponent
        return (
            plain.quantize(Decimal(1).scaleb(exponent)) if isinstance(written, int) and written >= exponent else plain
        )


def _is_currency(_: Any, attribute: "Attribute[str]", value: Any) -> None:
    if not isinstance(value, str) or not _CURRENCY.fullmatch(value):
        raise InvalidValue(attribute.name, "must be three capital letters (ISO 4217)")


def _is_amount(_: Any, attribute: "Attribute[Decimal]", value: Any) -> None:
    if not isinstance(value, Decimal) or not value.is_finite() or not 0 <= value < MAX_AMOUNT:
        raise InvalidValue(attribute.name, "must be a finite amount from 0 to below 10^18")


def _is_price(instance: Any, attribute: "Attribute[Decimal]", value: Any) -> None:
    _is_amount(instance, attribute, value)
    if value >= MAX_PRICE:
        raise InvalidValue(attribute.name, "must be below 10^11")
    if int(value.as_tuple().exponent) < -_MOST_DECIMALS:
        raise InvalidValue(attribute.name, f"must not have more than {_MOST_DECIMALS} decimals")


def is_storable(text: str) -> bool:
    """True if every store and every wire can carry the text: no NUL, no unpaired surrogate."""
    return _NOT_STORABLE.search(text) is None


def is_text(_: Any, attribute: "Attribute[str]", value: Any) -> None:
    """Validator: a text of 1 to 255 characters that every store can carry."""
    if not isinstance(value, str) or not 1 <= len(value) <= MAX_TEXT:
        raise InvalidValue(attribute.name, f"must be a text of 1 to {MAX_TEXT} characters")
    is_reason(_, attribute, value)


def is_reason(_: Any, attribute: "Attribute[str]", value: str) -> None:
    """Validator: a text that every store can carry; it may be empty."""
    if not is_storable(value):
        raise InvalidValue(attribute.name, "must not hold NUL or unpaired surrogates")


def shortened(text: str) -> str:
    """Converter: cut the text to `MAX_REASON` characters."""
    return text if len(text) <= MAX_REASON else text[: MAX_REASON - 1] + "…"


def sorted_ids(ids: Iterable[UUID]) -> tuple[UUID, ...]:
    """Converter: the ids in order."""
    return tuple(sorted(ids))


def are_seats(_: Any, attribute: "Attribute[tuple[UUID, ...]]", value: tuple[UUID, ...]) -> None:
    """Validator: at least one seat, and none twice."""
    if not value:
        raise InvalidValue(attribute.name, "must name at least one seat")
    if len(set(value)) != len(value):
        raise InvalidValue(attribute.name, "must not name a seat twice")


def _is_label(_: Any, attribute: "Attribute[str]", value: Any) -> None:
    if not isinstance(value, str) or len(value) > MAX_TEXT or not is_storable(value):
        raise InvalidValue(attribute.name, f"must be a text of at most {MAX_TEXT} characters, without NUL")


def _is_seat_number(_: Any, attribute: "Attribute[int]", value: Any) -> None:
    if not isinstance(value, int) or not 0 <= value < 2**31:
        raise InvalidValue(attribute.name, "must be a whole number from 0 to below 2^31")


def _is_duration(_: Any, attribute: "Attribute[timedelta]", value: Any) -> None:
    if not isinstance(value, timedelta) or value <= timedelta():
        raise InvalidValue(attribute.name, "must be longer than nothing")


def is_aware(_: Any, attribute: "Attribute[datetime]", value: Any) -> None:
    """Validator: the time has a zone."""
    if not isinstance(value, datetime) or value.tzinfo is None:
        raise InvalidValue(attribute.name, "must be a time with its zone")


def _is_in_the_calendar(instance: Any, attribute: "Attribute[datetime]", value: Any) -> None:
    """Every time zone can show the time, and every store keep it: it is not at the edge of the calendar."""
    is_aware(instance, attribute, value)
    if not _FIRST_YEAR <= value.year <= _LAST_YEAR:
        raise InvalidValue(attribute.name, f"must be between the years {_FIRST_YEAR} and {_LAST_YEAR}")


@frozen(kw_only=True)
class Money:
    """An amount of one currency: finite, not negative, below 10^18, exact. Raises InvalidValue otherwise."""

    amount: Decimal = field(validator=_is_amount)
    currency: str = field(validator=_is_currency)

    @property
    def written(self) -> Decimal:
        """The amount with the currency's decimals, as it is shown and sent."""
        return written_in(self.amount, self.currency)

    @property
    def fits(self) -> bool:
        """Whether the amount is written with no more decimals than the currency has."""
        return -int(self.amount.as_tuple().exponent) <= decimals_of(self.currency)


class SaleStatus(Enum):
    """Whether the Catalog allows the sale of an event."""

    ON_SALE = "ON_SALE"
    CANCELLED = "CANCELLED"
    DRAFT = "DRAFT"


@frozen(kw_only=True)
class TicketedEvent:
    """An event that seats are sold for, as the Catalog describes it."""

    event_id: UUID
    name: str = field(validator=_is_label)
    starts_at: datetime = field(validator=_is_in_the_calendar)
    status: SaleStatus
    currency: str = field(validator=_is_currency)


@frozen(kw_only=True)
class Seat:
    """One place of one event. `price` is in the event's currency and fits its decimals."""

    seat_id: UUID
    row: str = field(validator=_is_label)
    number: int = field(validator=_is_seat_number)
    price: Decimal = field(validator=_is_price)


@lru_cache(maxsize=_ROWS)
def row_key(row: str) -> str:
    """A text whose order by code points is the order of rows as people read them: 2 before 10, A2 before A10.

    Numbers (ASCII digits) lose leading zeros and are padded with zeros; `a` to `z` count as `A` to `Z`. No locale.
    """
    return _DIGITS.sub(lambda found: found[0].lstrip("0").zfill(DIGITS_IN_KEY), row.translate(_UPPER))


def reading_order(seat: Seat) -> tuple[str, str, int, bytes]:
    """The key that sorts seats as people read them: by row, number and id."""
    return row_key(seat.row), seat.row, seat.number, seat.seat_id.bytes


def in_reading_order(seats: Iterable[Seat]) -> tuple[Seat, ...]:
    """The seats by `reading_order`."""
    return tuple(sorted(seats, key=reading_order))


class SeatStatus(Enum):
    """The public state of a seat; it does not name the holder."""

    AVAILABLE = "AVAILABLE"
    HELD = "HELD"
    SOLD = "SOLD"


@frozen(kw_only=True)
class Terms:
    """The time a customer has to pay (BR-02), and the time a payment in progress may take (spec 6.2)."""

    payment_window: timedelta = field(default=timedelta(seconds=600), validator=_is_duration)
    processing_timeout: timedelta = field(default=timedelta(seconds=300), validator=_is_duration)


class CancellationReason(Enum):
    """The reason why a booking ended."""

    USER_CANCELLED = "USER_CANCELLED"
    PAYMENT_FAILED = "PAYMENT_FAILED"
    EXPIRED = "EXPIRED"
    EVENT_CANCELLED = "EVENT_CANCELLED"


class RefundReason(Enum):
    """The reason why a payment is refunded."""

    USER_CANCELLED = "USER_CANCELLED"
    EVENT_CANCELLED = "EVENT_CANCELLED"
    LATE_PAYMENT = "LATE_PAYMENT"
    DUPLICATE_PAYMENT = "DUPLICATE_PAYMENT"
    AMOUNT_MISMATCH = "AMOUNT_MISMATCH"


class RefundChoice(Enum):
    """How an operator who cancels a booking decides about its refund; POLICY: as BR-04 says."""

    FULL = "full"
    POLICY = "policy"
    NONE = "none"


class ActorKind(Enum):
    """The kind of actor that caused a change."""

    CUSTOMER = "CUSTOMER"
    PAYMENT_EVENT = "PAYMENT_EVENT"
    EXPIRY_JOB = "SWEEPER"
    ADMINISTRATOR = "ADMINISTRATOR"


@frozen(kw_only=True)
class Cause:
    """The cause of a change: the actor (`actor_id`: user, event id of the payment, …) and the correlation."""

    actor: ActorKind
    actor_id: str
    correlation_id: str


def customer_cause(command: Any) -> Cause:
    """Make the cause of a change by the customer of this command."""
    return Cause(actor=ActorKind.CUSTOMER, actor_id=command.user_id, correlation_id=command.correlation_id)


def payment_cause(message: Any) -> Cause:
    """Make the cause of a change by this message of the Payment Service."""
    return Cause(actor=ActorKind.PAYMENT_EVENT, actor_id=str(message.message_id), correlation_id=message.correlation_id)


def administrator_cause(command: Any) -> Cause:
    """Make the cause of a change by the administrator of this command."""
    return Cause(actor=ActorKind.ADMINISTRATOR, actor_id=command.administrator, correlation_id=command.correlation_id)


def total_of(seats: Iterable[Seat]) -> Decimal:
    """The sum of the seats' prices (FR-04), exact."""
    total = Decimal(0)
    for seat in seats:
        total = _EXACT.add(total, seat.price)
    return total
