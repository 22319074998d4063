"""Bookings, events and seats in JSON: money to the letter, times in UTC, and keys only where they apply."""

import json
from datetime import timedelta, timezone
from decimal import Decimal
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from booking_api.http.bodies import booking_json, pagination_json, success_body
from booking_api.routes.events import event_json
from booking_core import Booking, CancellationReason, RefundStatus
from booking_core.ports import KnownEvent, Page
from tests.support.builders import (
    ADMIN,
    EVENT_ID,
    PAYMENT,
    RESERVED_AT,
    SEAT_IDS,
    at,
    cancelled,
    confirmed,
    event,
    just_reserved,
    pending,
    processing,
    seats_priced,
    usd,
)

ALWAYS = {"bookingId", "eventId", "status", "totalAmount", "currency", "createdAt", "expiresAt", "seats"}


def read(body: bytes) -> Any:
    """As a careful customer reads it: numbers as they are written."""
    return json.loads(body, parse_float=Decimal, parse_int=Decimal)["data"]


def shown(booking: Booking) -> Any:
    return read(success_body(booking_json(booking)))


@given(
    currency=st.sampled_from([("USD", 2), ("JPY", 0), ("KWD", 3), ("CLF", 4)]),
    minor=st.lists(st.integers(0, 10**12), min_size=1, max_size=10),
)
def test_money_has_the_decimals_of_its_currency_and_adds_up(currency: tuple[str, int], minor: list[int]) -> None:
    code, decimals = currency
    prices = [Decimal(units).scaleb(-decimals) % 10**10 for units in minor]

    data = shown(just_reserved(seats_priced(*prices), code))

    assert [seat["price"] for seat in data["seats"]] == prices
    assert data["totalAmount"] == sum(prices)
    for amount in [data["totalAmount"], *(seat["price"] for seat in data["seats"])]:
        assert amount.as_tuple().exponent == -decimals


def test_a_booking_to_the_letter() -> None:
    booking = evolve(just_reserved(), booking_id=UUID(int=7))

    assert success_body(booking_json(booking)).decode() == (
        '{"success":true,"data":{"bookingId":"00000000-0000-0000-0000-000000000007",'
        f'"eventId":"{EVENT_ID}","status":"PENDING","totalAmount":150.00,"currency":"USD",'
        '"createdAt":"2026-03-01T10:00:00Z","expiresAt":"2026-03-01T10:10:00Z",'
        f'"seats":[{{"seatId":"{SEAT_IDS[0]}","row":"A","number":1,"price":75.00}},'
        f'{{"seatId":"{SEAT_IDS[1]}","row":"A","number":2,"price":75.00}}]}}}}'
    )


@pytest.mark.parametrize("zone", [ZoneInfo("UTC"), ZoneInfo("Asia/Kathmandu"), timezone(timedelta(hours=-11))])
def test_times_are_in_utc_whatever_zone_they_were_kept_in(zone: ZoneInfo | timezone) -> None:
    booking = evolve(
        cancelled(CancellationReason.EXPIRED),
        created_at=at(0).astimezone(zone),
        expires_at=at(10).astimezone(zone),
        cancelled_at=at(10).astimezone(zone),
    )

    data = shown(booking)

    assert data["createdAt"] == "2026-03-01T10:00:00Z"
    assert data["expiresAt"] == data["cancelledAt"] == "2026-03-01T10:10:00Z"


@pytest.mark.parametrize(
    ("booking", "more"),
    [
        (pending(), set()),
        (processing(), {"processingStartedAt"}),
        (confirmed(), {"confirmedAt", "ticketReference"}),
        *((cancelled(reason), {"cancelledAt", "cancellationReason"}) for reason in CancellationReason),
    ],
)
def test_a_key_is_there_only_where_it_applies(booking: Booking, more: set[str]) -> None:
    assert set(shown(booking)) == ALWAYS | more


def test_refunds_are_in_the_order_they_were_asked_for_and_the_confirming_payments_is_the_refund() -> None:
    booking = confirmed()
    booking.confirm("pay-0", usd("1.5"), at(9), PAYMENT)
    booking.cancel_for_event(at(20), ADMIN)
    booking.confirm("pay-2", usd("150.00"), at(30), PAYMENT)
    booking.answer_refund("pay-1", RefundStatus.COMPLETED, "", at(40), PAYMENT)

    data = shown(booking)

    told = [(each["paymentId"], str(each["amount"]), each["reason"], each["status"]) for each in data["refunds"]]
    assert told == [
        ("pay-0", "1.50", "DUPLICATE_PAYMENT", "REQUESTED"),
        ("pay-1", "150.00", "EVENT_CANCELLED", "COMPLETED"),
        ("pay-2", "150.00", "LATE_PAYMENT", "REQUESTED"),
    ]
    assert data["refund"] == data["refunds"][1]


@pytest.mark.parametrize(("closed", "status"), [(False, "ON_SALE"), (True, "CANCELLED")])
def test_an_event_that_was_cancelled_here_is_shown_cancelled(closed: bool, status: str) -> None:
    known = KnownEvent(
        event=event(starts_at=RESERVED_AT), closed_at=RESERVED_AT if closed else None, complete=True, age_seconds=None
    )

    assert read(success_body(event_json(known))) == {
        "eventId": str(EVENT_ID),
        "name": "A concert",
        "startsAt": "2026-03-01T10:00:00Z",
        "status": status,
        "currency": "USD",
    }


@pytest.mark.parametrize(("total", "limit", "pages"), [(0, 10, 0), (1, 10, 1), (10, 10, 1), (11, 10, 2), (5, 1, 5)])
def test_the_last_page_counts_though_it_is_not_full(total: int, limit: int, pages: int) -> None:
    written = pagination_json(Page(number=3, limit=limit), total)

    assert written == {"page": 3, "limit": limit, "total": total, "totalPages": pages}
