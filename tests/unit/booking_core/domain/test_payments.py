"""Amounts of payments: what is taken as an amount of its currency, what is kept as sent, and what is paid back."""

import json
from decimal import ROUND_HALF_EVEN, Decimal, localcontext
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from booking_core.domain.booking import Booking
from booking_core.domain.commands import ConfirmPayment
from booking_core.domain.errors import InvalidValue, MalformedMessage
from booking_core.domain.lifecycle import Status
from booking_core.domain.payments import Payment, PaymentStatus, RefundStatus
from booking_core.domain.values import CancellationReason, RefundReason
from booking_core.messages.envelopes import encode, event_type_of, payload_of
from booking_core.messages.payment_messages import parse
from tests.support.builders import (
    ADMIN,
    AGAIN,
    PAYMENT,
    STARTS_AT,
    at,
    cancelled,
    confirmed,
    just_reserved,
    loaded,
    seats_priced,
)
from tests.support.workers import payment

DECIMALS: Final = {"JPY": 0, "KRW": 0, "USD": 2, "EUR": 2, "XYZ": 2, "KWD": 3, "BHD": 3, "CLF": 4}
CURRENCIES: Final = st.sampled_from(sorted(DECIMALS))


def held(price: str, currency: str) -> Booking:
    """A PENDING booking of one seat."""
    return loaded(just_reserved(seats_priced(Decimal(price)), currency))


def paid(booking: Booking, written: str, currency: str, payment_id: str = "pay-1") -> Booking:
    """The booking after `payment.success` with the amount as it is written in the message."""
    value = payment(booking.booking_id, amount="AMOUNT", currency=currency, paymentId=payment_id)
    command = parse(value.replace(b'"AMOUNT"', written.encode()))
    assert isinstance(command, ConfirmPayment)
    booking.confirm(payment_id, command.paid, at(1), command.cause)
    return booking


def refunds(booking: Booking) -> list[str]:
    """The amounts asked back, as they are written in the events."""
    asked = [each for each in booking.new_events if event_type_of(each) == "booking.refund_requested"]
    for each in asked:
        assert str(payload_of(each)["amount"]) == str(json.loads(encode(each), parse_float=str)["payload"]["amount"])
    return [str(payload_of(each)["amount"]) for each in asked]


@pytest.mark.parametrize(
    ("price", "currency", "written"),
    [
        ("0.30", "USD", "0.30000000000000004"),
        ("59.97", "USD", "59.969999999999995"),
        ("0.10", "USD", "0.1000000000000000055511151231257827021181583404541015625"),
        ("149.99", "USD", "149.990000000000009094947017729282379150390625"),
        ("150", "USD", "1.5e2"),
        ("150", "USD", "15000E-2"),
        ("150", "USD", "150.00001"),
        ("150", "USD", "149.99999"),
        ("99999999999.99", "USD", "99999999999.99000549"),
        ("1000", "JPY", "1000.0"),
        ("1000", "KRW", "999.9999999999999"),
        ("1000", "JPY", "1000.001"),
        ("1.005", "KWD", "1.0049999999999999"),
        ("0.3", "BHD", "0.30000000000000004"),
        ("0.0001", "CLF", "1.00000000000001e-4"),
        ("0", "USD", "-0"),
        ("0", "USD", "-0.0"),
        ("0", "USD", "-5.551115123125783e-17"),
        ("0", "USD", "1e-400"),
        ("0", "USD", "5e-324"),
    ],
)
def test_an_amount_that_a_binary_fraction_stands_for_is_taken(price: str, currency: str, written: str) -> None:
    booking = paid(held(price, currency), written, currency)

    assert (booking.status, refunds(booking)) == (Status.CONFIRMED, [])
    assert str(booking.payments["pay-1"].amount) == str(booking.total.written)


@pytest.mark.parametrize(
    ("price", "currency", "written", "refund"),
    [
        ("1000", "JPY", "1000.5", "1000"),
        ("1001", "JPY", "1001.5", "1002"),
        ("1000", "JPY", "1000.002", "1000"),
        ("1000", "JPY", "999.998", "1000"),
        ("1000", "KRW", "1.0000007e7", "10000007"),
        ("150", "USD", "150.005", "150.00"),
        ("150", "USD", "150.015", "150.02"),
        ("150", "USD", "150.00002", "150.00"),
        ("150", "USD", "149.99998", "150.00"),
        ("150", "USD", "0.0051", "0.01"),
        ("150", "USD", "150.005000000000000000000000000000000000001", "150.01"),
        ("1", "KWD", "1.0005", "1.000"),
        ("1", "BHD", "1.0015", "1.002"),
        ("150", "XYZ", "150.125", "150.12"),
        ("150", "USD", "1e12", "1000000000000.00"),
        ("150", "USD", "999999999999999999.99", "999999999999999999.99"),
    ],
)
def test_any_other_amount_is_kept_as_sent_and_asked_back_rounded(
    price: str, currency: str, written: str, refund: str
) -> None:
    booking = paid(held(price, currency), written, currency)

    assert (booking.status, refunds(booking)) == (Status.PENDING, [refund])
    payment = booking.payments["pay-1"]
    assert (payment.amount, payment.refund_reason) == (Decimal(written), RefundReason.AMOUNT_MISMATCH)
    assert payment.refundable is not None
    assert str(payment.refundable.amount) == refund


@pytest.mark.parametrize(
    ("written", "currency"), [("0", "EUR"), ("0.00", "USD"), ("0.004", "USD"), ("0.005", "USD"), ("0.5", "JPY")]
)
def test_a_refund_of_nothing_is_not_requested(written: str, currency: str) -> None:
    booking = paid(held("150", "USD"), written, currency)
    booking.confirm("pay-2", booking.total, at(2), PAYMENT)
    booking.cancel_for_event(at(3), ADMIN)

    assert booking.payments["pay-1"].is_taken
    assert booking.payments["pay-1"].refund_status is None
    assert refunds(booking) == ["150.00"]
    assert booking.answer_refund("pay-1", RefundStatus.COMPLETED, "", at(4), PAYMENT) is False


def test_a_seat_that_costs_nothing_is_given_back_without_a_refund() -> None:
    booking = paid(held("0", "USD"), "0.00", "USD")
    booking.cancel(at(2), STARTS_AT, AGAIN)

    assert [event_type_of(each) for each in booking.new_events] == ["booking.confirmed", "booking.cancelled"]


@pytest.mark.parametrize("status", ["late", "duplicate"])
def test_whatever_the_reason_the_refund_is_an_amount_of_its_currency(status: str) -> None:
    booking = cancelled(CancellationReason.EXPIRED) if status == "late" else confirmed()

    assert refunds(paid(booking, "1000.5", "JPY", "pay-2")) == ["1000"]


@pytest.mark.parametrize("currency", ["usd", "Usd", "uSD"])
def test_small_letters_of_a_currency_are_the_currency(currency: str) -> None:
    booking = paid(held("150", "USD"), "150.0", currency)

    assert (booking.status, booking.payments["pay-1"].currency) == (Status.CONFIRMED, "USD")


@pytest.mark.parametrize(
    ("currency", "refund"), [("jpy", "150"), ("EUR", "150.00"), ("kwd", "150.000"), ("xyz", "150.00")]
)
def test_the_amount_in_another_currency_is_asked_back_in_it(currency: str, refund: str) -> None:
    booking = paid(held("150", "USD"), "150.0", currency)

    assert refunds(booking) == [refund]
    assert payload_of(booking.new_events[-1])["currency"] == currency.upper()


@pytest.mark.parametrize("currency", ["", "us", "usdt", "U$D", " usd", "ſek", "ﬁl", "ıdr", "₫₫₫", 840, None, ["USD"]])
def test_a_currency_that_cannot_be_is_malformed(currency: Any) -> None:
    with pytest.raises(MalformedMessage, match="currency"):
        parse(payment(held("1", "USD").booking_id, currency=currency))


@pytest.mark.parametrize(
    "written",
    [
        "-1",
        "-0.01",
        "-0.00002",
        "1e18",
        "999999999999999999.996",
        "1e999",
        "1e" + "9" * 30,
        "9" * 5000,
        '"150.00"',
        "null",
        "true",
        "NaN",
    ],
)
def test_an_amount_that_cannot_be_is_malformed(written: str) -> None:
    with pytest.raises(MalformedMessage, match=r"amount|NaN"):
        paid(held("150", "USD"), written, "USD")


def test_an_amount_of_a_million_digits_is_understood() -> None:
    assert paid(held("150", "USD"), "150." + "0" * 900_000 + "1", "USD").status is Status.CONFIRMED
    written = "150." + "5" * 900_000
    kept = paid(held("150", "USD"), written, "USD").payments["pay-1"].amount
    assert str(kept) == "150." + "5" * 96 + "6"


@pytest.mark.parametrize(
    ("prices", "currency", "total"),
    [
        (["0.1", "0.1", "0.1"], "USD", "0.30"),
        (["0.30000000000000004"], "USD", "0.30"),
        (["19.989999999999998"] * 10, "EUR", "199.90"),
        (["1000.0000000000001"] * 3, "JPY", "3000"),
        (["0.100000000000000006"] * 10, "KWD", "1.000"),
    ],
)
def test_the_total_of_binary_fractions_is_an_amount_that_can_be_paid(
    prices: list[str], currency: str, total: str
) -> None:
    """A catalog of ours refuses such prices; one from outside may not."""
    booking = loaded(just_reserved(seats_priced(*map(Decimal, prices)), currency))

    assert str(booking.total.written) == total
    assert paid(booking, total, currency).status is Status.CONFIRMED


@given(st.integers(0, 10**13), CURRENCIES)
def test_a_double_of_an_amount_is_that_amount(units: int, currency: str) -> None:
    amount = Decimal(units).scaleb(-DECIMALS[currency])

    sums = [Decimal(float(amount) * (1 + 2**-52))] if units < 10**12 else []
    for sent in (Decimal(repr(float(amount))), Decimal(float(amount)), *sums):
        money = command(sent, currency).paid
        assert str(money.amount) == str(money.written)
        assert money.amount == amount


@given(st.decimals(0, 10**17, allow_nan=False, allow_infinity=False), CURRENCIES)
def test_amount_and_refund_are_never_a_unit_apart(sent: Decimal, currency: str) -> None:
    unit = Decimal(1).scaleb(-DECIMALS[currency])
    with localcontext(prec=3):  # the context of the caller does not matter
        money = command(sent, currency).paid
        back = Payment(
            payment_id="pay-1", status=PaymentStatus.TAKEN, recorded_at=at(0), amount=money.amount, currency=currency
        ).refundable

    with localcontext(prec=200):
        near = sent.quantize(unit, ROUND_HALF_EVEN)
        assert money.amount == (near if abs(sent - near) <= unit / 1000 else sent)
        assert (back.amount if back else 0) == near
        assert back is None or str(back.amount) == str(back.written)


@pytest.mark.parametrize("amount", [1.5, "1.50", None, 1, Decimal("NaN"), Decimal("sNaN"), Decimal("-Infinity")])
def test_the_amount_of_a_command_is_a_finite_decimal(amount: Any) -> None:
    with pytest.raises(InvalidValue, match="amount"):
        command(amount, "USD")


def command(amount: Decimal, currency: str) -> ConfirmPayment:
    booking = held("1", "USD")
    return ConfirmPayment(
        message_id=booking.booking_id,
        booking_id=booking.booking_id,
        payment_id="pay-1",
        correlation_id="corr-1",
        amount=amount,
        currency=currency,
    )
