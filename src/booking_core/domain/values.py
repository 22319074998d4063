"""Values of the domain: money, seats, ticketed events. Frozen, compared by content."""

import re
from collections.abc import Iterable
from datetime import datetime, timedelta
from decimal import Decimal, localcontext
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
_AMOUNTS: Final = 4096
_CURRENCY: Final = re.compile(r"[A-Z]{3}")
MAX_AMOUNT: Final = Decimal(10) ** 12
_MOST_DECIMALS: Final = 18
# More than any sum of prices has before and after the point.
_EXACT_DIGITS: Final = 100
MAX_TEXT: Final = 255
_FIRST_YEAR: Final = 1900
_LAST_YEAR: Final = 9000
_NOT_STORABLE: Final = re.compile("[\x00\ud800-\udfff]")
# Ten seats of the dearest price are an amount still.
MAX_PRICE: Final = Decimal(10) ** 11


def decimals_of(currency: str) -> int:
    """How many decimals amounts of this currency have (ISO 4217)."""
    return _DECIMALS.get(currency, 2)


def written_in(amount: Decimal, currency: str) -> Decimal:
    """The amount with the currency's decimals (`150.00`, JPY `500`); a digit that counts is never lost."""
    return _written_with(amount, decimals_of(currency))


@lru_cache(maxsize=_AMOUNTS)
def _written_with(amount: Decimal, decimals: int) -> Decimal:
    """The same for the same amount, however that was written: few seats have a price of their own."""
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
        raise InvalidValue(attribute.name, "must be a finite amount from 0 to below 10^12")
    if int(value.as_tuple().exponent) < -_MOST_DECIMALS:
        raise InvalidValue(attribute.name, f"must not have more than {_MOST_DECIMALS} decimals")


def _is_price(instance: Any, attribute: "Attribute[Decimal]", value: Any) -> None:
    _is_amount(instance, attribute, value)
    if value >= MAX_PRICE:
        raise InvalidValue(attribute.name, "must be below 10^11")


def is_storable(text: str) -> bool:
    """True if every store and every wire can carry the text: no NUL, no unpaired surrogate."""
    return _NOT_STORABLE.search(text) is None


def _is_label(_: Any, attribute: "Attribute[str]", value: Any) -> None:
    if not isinstance(value, str) or len(value) > MAX_TEXT or not is_storable(value):
        raise InvalidValue(attribute.name, f"must be a text of at most {MAX_TEXT} characters, without NUL")


def _is_seat_number(_: Any, attribute: "Attribute[int]", value: Any) -> None:
    if not isinstance(value, int) or not 0 <= value < 2**31:
        raise InvalidValue(attribute.name, "must be a whole number from 0 to below 2^31")


def _is_a_while(_: Any, attribute: "Attribute[timedelta]", value: Any) -> None:
    if not isinstance(value, timedelta) or value <= timedelta():
        raise InvalidValue(attribute.name, "must be longer than nothing")


def is_aware(_: Any, attribute: "Attribute[datetime]", value: Any) -> None:
    """Validator: the time says its zone."""
    if not isinstance(value, datetime) or value.tzinfo is None:
        raise InvalidValue(attribute.name, "must be a time with its zone")


def _is_in_the_calendar(instance: Any, attribute: "Attribute[datetime]", value: Any) -> None:
    """Every zone can show it and every store keep it: not at the edges of the calendar."""
    is_aware(instance, attribute, value)
    if not _FIRST_YEAR <= value.year <= _LAST_YEAR:
        raise InvalidValue(attribute.name, f"must be between the years {_FIRST_YEAR} and {_LAST_YEAR}")


@frozen(kw_only=True)
class Money:
    """An amount of one currency: finite, not negative, below 10^12, exact. Raises InvalidValue otherwise."""

    amount: Decimal = field(validator=_is_amount)
    currency: str = field(validator=_is_currency)

    @property
    def written(self) -> Decimal:
        """The amount with the currency's decimals, as it is shown and sent."""
        return written_in(self.amount, self.currency)


class SaleStatus(Enum):
    """Whether the Catalog lets an event be sold."""

    ON_SALE = "ON_SALE"
    CANCELLED = "CANCELLED"
    DRAFT = "DRAFT"


@frozen(kw_only=True)
class TicketedEvent:
    """What people buy seats for, as the Catalog describes it."""

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


class SeatStatus(Enum):
    """What everybody may know of a seat; never who holds it."""

    AVAILABLE = "AVAILABLE"
    HELD = "HELD"
    SOLD = "SOLD"


@frozen(kw_only=True)
class Terms:
    """How long a customer has to pay (BR-02), and how long a payment in progress may take (spec 6.2)."""

    payment_window: timedelta = field(default=timedelta(seconds=600), validator=_is_a_while)
    processing_timeout: timedelta = field(default=timedelta(seconds=300), validator=_is_a_while)


class CancellationReason(Enum):
    """Why a booking ended."""

    USER_CANCELLED = "USER_CANCELLED"
    PAYMENT_FAILED = "PAYMENT_FAILED"
    EXPIRED = "EXPIRED"
    EVENT_CANCELLED = "EVENT_CANCELLED"


class RefundReason(Enum):
    """Why money goes back."""

    USER_CANCELLED = "USER_CANCELLED"
    EVENT_CANCELLED = "EVENT_CANCELLED"
    LATE_PAYMENT = "LATE_PAYMENT"
    DUPLICATE_PAYMENT = "DUPLICATE_PAYMENT"
    AMOUNT_MISMATCH = "AMOUNT_MISMATCH"


class ActorKind(Enum):
    """Who caused a change."""

    CUSTOMER = "CUSTOMER"
    PAYMENT_EVENT = "PAYMENT_EVENT"
    EXPIRY_JOB = "SWEEPER"
    ADMINISTRATOR = "ADMINISTRATOR"


@frozen(kw_only=True)
class Cause:
    """Why something changes: who did it (`actor_id`: user, event id of the payment, …) and under which correlation."""

    actor: ActorKind
    actor_id: str
    correlation_id: str


def total_of(seats: Iterable[Seat]) -> Decimal:
    """The sum of the seats' prices (FR-04), exact."""
    with localcontext(prec=_EXACT_DIGITS):
        return sum((seat.price for seat in seats), Decimal(0))
