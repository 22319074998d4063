"""Money is exact and shown with its currency's decimals; values that cannot be are refused when they are made."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal, localcontext
from typing import Any, Final
from uuid import UUID

import pytest
from attrs.exceptions import FrozenInstanceError
from hypothesis import given
from hypothesis import strategies as st

from booking_core.domain.errors import InvalidValue
from booking_core.domain.values import Money, SaleStatus, Seat, Terms, TicketedEvent, decimals_of, total_of, written_in
from tests.support.builders import seats_priced, usd

DECIMALS: Final = {"JPY": 0, "KRW": 0, "XPF": 0, "USD": 2, "EUR": 2, "GBP": 2, "KWD": 3, "TND": 3, "CLF": 4}


@pytest.mark.parametrize(("currency", "decimals"), DECIMALS.items())
def test_a_currency_has_its_own_decimals(currency: str, decimals: int) -> None:
    assert decimals_of(currency) == decimals


@pytest.mark.parametrize(
    ("amount", "currency", "written"),
    [
        ("75", "USD", "75.00"),
        ("75.5", "USD", "75.50"),
        ("75.55", "USD", "75.55"),
        ("0", "USD", "0.00"),
        ("1E+3", "USD", "1000.00"),
        ("5000", "JPY", "5000"),
        ("5E+3", "JPY", "5000"),
        ("1.5", "KWD", "1.500"),
        ("1", "KWD", "1.000"),
        ("1.005", "USD", "1.005"),
        ("999999999999.9", "CLF", "999999999999.9000"),
    ],
)
def test_money_is_written_with_the_decimals_of_its_currency(amount: str, currency: str, written: str) -> None:
    assert str(Money(amount=Decimal(amount), currency=currency).written) == written


@given(st.decimals(0, 10**12 - 1, places=4, allow_nan=False), st.sampled_from(sorted(DECIMALS)))
def test_writing_money_never_loses_a_digit(amount: Decimal, currency: str) -> None:
    written = Money(amount=amount, currency=currency).written

    assert written == amount
    exponent = written.as_tuple().exponent
    assert isinstance(exponent, int)
    assert -exponent >= DECIMALS[currency]
    assert str(written_in(written, currency)) == str(written)


@pytest.mark.parametrize(("amount", "currency", "written"), [("150.000", "USD", "150.00"), ("500.00", "JPY", "500")])
def test_zeros_beyond_the_currencys_decimals_are_not_written(amount: str, currency: str, written: str) -> None:
    assert str(Money(amount=Decimal(amount), currency=currency).written) == written


def test_nothing_is_written_without_a_sign() -> None:
    assert str(usd("-0").written) == "0.00"


@pytest.mark.parametrize("amount", ["-0.01", "1E+18", "NaN", "sNaN", "Infinity", "-Infinity"])
def test_an_amount_is_finite_not_negative_and_below_10_to_the_18(amount: str) -> None:
    with pytest.raises(InvalidValue) as refused:
        usd(amount)

    assert refused.value.field == "amount"
    assert refused.value.code == "VALIDATION_FAILED"


@pytest.mark.parametrize("amount", ["0", "0.01", "999999999999999999.99"])
def test_the_smallest_and_the_largest_amount(amount: str) -> None:
    assert usd(amount).amount == Decimal(amount)


@pytest.mark.parametrize("amount", [1, 1.5, "1.50", None, True])
def test_an_amount_is_a_decimal_and_nothing_else(amount: Any) -> None:
    with pytest.raises(InvalidValue):
        Money(amount=amount, currency="USD")


@pytest.mark.parametrize("currency", ["", "US", "USDX", "usd", "U$D", "USD\n", "ÜSD", None, 840])
def test_a_currency_is_three_capital_letters(currency: Any) -> None:
    with pytest.raises(InvalidValue) as refused:
        Money(amount=Decimal(1), currency=currency)

    assert refused.value.field == "currency"


def test_money_is_compared_by_amount_and_currency() -> None:
    assert usd("1.50") == usd("1.5")
    assert usd("1.50") != usd("1.51")
    assert usd("1.50") != Money(amount=Decimal("1.50"), currency="EUR")
    assert hash(usd("1.50")) == hash(usd("1.5"))


@given(st.lists(st.decimals(0, 10**10, places=3, allow_nan=False), max_size=10))
def test_the_total_of_seats_is_exact(prices: list[Decimal]) -> None:
    thousandths = sum(int(price.scaleb(3)) for price in prices)

    assert total_of(seats_priced(*prices)) == Decimal(thousandths).scaleb(-3)


def test_ten_times_ten_cents_is_one() -> None:
    assert total_of(seats_priced(*[Decimal("0.10")] * 10)) == Decimal("1.00")
    assert total_of([]) == 0


@pytest.mark.parametrize("price", [Decimal("-1"), Decimal("NaN"), Decimal("1E+12"), 75.0, "75.00"])
def test_a_seat_has_a_price_that_can_be(price: Any) -> None:
    with pytest.raises(InvalidValue) as refused:
        Seat(seat_id=UUID(int=1), row="A", number=1, price=price)

    assert refused.value.field == "price"


def _event(**changes: Any) -> TicketedEvent:
    facts: dict[str, Any] = {
        "event_id": UUID(int=1),
        "name": "A concert",
        "starts_at": datetime(2026, 1, 1, tzinfo=UTC),
        "status": SaleStatus.ON_SALE,
        "currency": "USD",
    }
    return TicketedEvent(**facts | changes)


@pytest.mark.parametrize("starts_at", [datetime(2026, 1, 1), "2026-01-01T00:00:00Z", None])  # noqa: DTZ001
def test_an_event_starts_at_a_time_with_its_zone(starts_at: Any) -> None:
    with pytest.raises(InvalidValue) as refused:
        _event(starts_at=starts_at)

    assert refused.value.field == "starts_at"
    with pytest.raises(InvalidValue, match="currency"):
        _event(currency="dollars")


def test_the_terms_are_ten_minutes_and_five() -> None:
    assert Terms() == Terms(payment_window=timedelta(minutes=10), processing_timeout=timedelta(minutes=5))


def test_values_are_frozen_and_told_by_name() -> None:
    for value, attribute in ((usd("1"), "amount"), (_event(), "name"), (seats_priced(Decimal(1))[0], "price")):
        with pytest.raises(FrozenInstanceError):
            setattr(value, attribute, None)
    with pytest.raises(TypeError):
        Money(Decimal(1), "USD")  # type: ignore[call-arg]


class TestTheCallersDecimalContext:
    """An application may keep fewer digits than an amount has: ours are exact all the same."""

    def test_totals_are_exact(self) -> None:
        with localcontext(prec=3):
            assert total_of(seats_priced(Decimal("1234.56"), Decimal("0.44"))) == Decimal("1235.00")

    def test_amounts_are_written_exactly(self) -> None:
        with localcontext(prec=3):
            assert str(written_in(Decimal("123456.7"), "USD")) == "123456.70"
            assert str(written_in(Decimal("123456.78"), "USD")) == "123456.78"
            assert str(Money(amount=Decimal("999999999999.99"), currency="USD").written) == "999999999999.99"
            assert str(written_in(Decimal("1E+5"), "JPY")) == "100000"
