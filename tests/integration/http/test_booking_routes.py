"""A customer's way through the API: reserve, look, list, cancel."""

import json
import re
from datetime import datetime, timedelta
from uuid import uuid4

import pytest

from booking_core import Money
from booking_core.ports import Store
from tests.support.api import ANN, BOB, BOOKINGS, Api, Hall, data_of, error_of

UTC_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{6})?Z")


def test_reserving_answers_201_with_the_booking(api: Api, hall: Hall) -> None:
    answer = api.post(BOOKINGS, hall.order(1, 0))
    booking = data_of(answer)

    assert answer.status_code == 201
    assert set(booking) == {
        *("bookingId", "eventId", "status", "totalAmount", "currency", "createdAt", "expiresAt", "seats"),
    }
    assert (booking["eventId"], booking["status"], booking["currency"]) == (str(hall.event_id), "PENDING", "USD")
    assert booking["seats"] == [
        {"seatId": seat_id, "row": "A", "number": number, "price": 75.0}
        for number, seat_id in enumerate(hall.ids(0, 1), 1)
    ]
    assert UTC_TIME.fullmatch(booking["createdAt"])
    assert UTC_TIME.fullmatch(booking["expiresAt"])
    created, expires = (datetime.fromisoformat(booking[key]) for key in ("createdAt", "expiresAt"))
    assert expires - created == timedelta(minutes=10)


@pytest.mark.parametrize(
    ("currency", "prices", "total", "price"),
    [
        ("USD", ["75", "75.00"], b'"totalAmount":150.00,', b'"price":75.00}'),
        ("JPY", ["9000", "1000"], b'"totalAmount":10000,', b'"price":9000}'),
        ("KWD", ["1.5", "0.005"], b'"totalAmount":1.505,', b'"price":1.500}'),
        ("USD", ["0", "0"], b'"totalAmount":0.00,', b'"price":0.00}'),
        ("EUR", ["999999999.99", "0.01"], b'"totalAmount":1000000000.00,', b'"price":999999999.99}'),
    ],
)
def test_money_is_a_number_with_the_decimals_of_its_currency(
    api: Api, currency: str, prices: list[str], total: bytes, price: bytes
) -> None:
    hall = api.hall(*prices, currency=currency)

    answer = api.post(BOOKINGS, hall.order(0, 1))

    assert answer.status_code == 201
    assert total in answer.data
    assert price in answer.data


def test_ids_may_be_in_either_case_and_come_back_in_lower(api: Api, hall: Hall) -> None:
    order = {"eventId": str(hall.event_id).upper(), "seatIds": [hall.ids(0)[0].upper()]}

    booking = data_of(api.post(BOOKINGS, order))

    assert booking["eventId"] == str(hall.event_id)
    assert booking["seats"][0]["seatId"] == hall.ids(0)[0]
    assert data_of(api.get(f"{BOOKINGS}/{booking['bookingId'].upper()}")) == booking


def test_every_event_carries_the_correlation_id_of_its_request(api: Api, hall: Hall, store: Store) -> None:
    answer = api.post(BOOKINGS, hall.order(0), headers={"X-Correlation-Id": "order-7"})

    (record,) = store.outbox.unpublished(10)
    assert answer.headers["X-Correlation-Id"] == "order-7"
    assert (record.event_type, record.correlation_id) == ("booking.created", "order-7")
    assert json.loads(record.body)["payload"]["userId"] == ANN


def test_a_booking_shows_what_became_of_it(api: Api, hall: Hall) -> None:
    booking = api.held(hall, 0)
    path = f"{BOOKINGS}/{booking.booking_id}"

    api.processing(booking)
    processing = data_of(api.get(path))
    api.paid(booking)
    confirmed = data_of(api.get(path))

    assert processing["status"] == "PROCESSING"
    assert UTC_TIME.fullmatch(processing["processingStartedAt"])
    assert "ticketReference" not in processing
    assert confirmed["status"] == "CONFIRMED"
    assert UTC_TIME.fullmatch(confirmed["confirmedAt"])
    assert len(confirmed["ticketReference"]) == 28
    assert not {"refund", "refunds", "cancelledAt", "cancellationReason"} & set(confirmed)


def test_cancelling_a_confirmed_booking_shows_its_refund(api: Api, hall: Hall) -> None:
    booking = api.held(hall, 0, 1)
    path = f"{BOOKINGS}/{booking.booking_id}"
    api.paid(booking, "pay-1")
    api.paid(booking, "pay-2")

    answer = api.delete(path)
    cancelled = data_of(answer)

    refund = {
        "paymentId": "pay-1",
        "amount": 150.0,
        "currency": "USD",
        "reason": "USER_CANCELLED",
        "status": "REQUESTED",
    }
    assert answer.status_code == 200
    assert (cancelled["status"], cancelled["cancellationReason"]) == ("CANCELLED", "USER_CANCELLED")
    assert UTC_TIME.fullmatch(cancelled["cancelledAt"])
    assert cancelled["refund"] == refund
    assert cancelled["refunds"] == [{**refund, "paymentId": "pay-2", "reason": "DUPLICATE_PAYMENT"}, refund]
    assert data_of(api.delete(path)) == cancelled, "cancelling again answers with the booking"
    assert data_of(api.get(path)) == cancelled


def test_without_a_confirming_payment_the_refund_is_the_latest(api: Api, hall: Hall) -> None:
    booking = api.overdue(hall, 0)
    api.paid(booking, "late", Money(amount=booking.total.amount, currency="USD"))
    api.paid(booking, "later", Money(amount=booking.total.amount, currency="USD"))

    shown = data_of(api.get(f"{BOOKINGS}/{booking.booking_id}"))

    assert [each["paymentId"] for each in shown["refunds"]] == ["late", "later"]
    assert shown["refund"]["paymentId"] == "later"


def test_a_hold_that_ran_out_is_shown_cancelled_and_its_seat_is_the_next_customers(api: Api, hall: Hall) -> None:
    booking = api.overdue(hall, 0)

    shown = data_of(api.get(f"{BOOKINGS}/{booking.booking_id}"))

    assert (shown["status"], shown["cancellationReason"]) == ("CANCELLED", "EXPIRED")
    assert shown["cancelledAt"] == shown["expiresAt"]
    assert api.post(BOOKINGS, hall.order(0), user=BOB).status_code == 201


def test_somebody_elses_booking_and_an_unknown_one_are_told_apart_by_nothing(api: Api, hall: Hall) -> None:
    theirs = api.held(hall, 0, user=BOB).booking_id
    sent = {"X-Correlation-Id": "the-same"}

    for method in ("GET", "DELETE"):
        paths = [
            str(theirs),
            str(uuid4()),
            "x",
            "my%00",
            "00000000000000000000000000000000",
            f"urn:uuid:{theirs}",
            f"{theirs}x",
            f"{theirs}%0A",
        ]
        answers = [api.call(method, f"{BOOKINGS}/{each}", headers=sent) for each in paths]

        assert {error_of(answer) for answer in answers} == {(404, "BOOKING_NOT_FOUND")}
        assert len({answer.data for answer in answers}) == 1
        assert len({tuple(answer.headers) for answer in answers}) == 1


class TestMyBookings:
    def test_is_a_page_of_ones_own_newest_first(self, api: Api, hall: Hall) -> None:
        made = [str(api.held(hall, place).booking_id) for place in (0, 1, 2)]
        api.held(hall, 3, user=BOB)

        answers = [api.get(f"{BOOKINGS}/my?page={page}&limit=2") for page in (1, 2, 3)]

        assert [[each["bookingId"] for each in data_of(answer)] for answer in answers] == [
            [made[2], made[1]],
            [made[0]],
            [],
        ]
        assert answers[0].json is not None
        assert set(answers[0].json) == {"success", "data", "pagination"}
        assert answers[0].json["pagination"] == {"page": 1, "limit": 2, "total": 3, "totalPages": 2}

    def test_nobodys_list_has_no_pages(self, api: Api) -> None:
        assert api.get(f"{BOOKINGS}/my").json == {
            "success": True,
            "data": [],
            "pagination": {"page": 1, "limit": 10, "total": 0, "totalPages": 0},
        }

    def test_filters_by_the_status_that_is_shown(self, api: Api, hall: Hall) -> None:
        api.overdue(hall, 0)
        held, paid = api.held(hall, 1), api.held(hall, 2)
        api.paid(paid)

        def ids(status: str) -> list[str]:
            return [each["bookingId"] for each in data_of(api.get(f"{BOOKINGS}/my?status={status}"))]

        assert ids("PENDING") == [str(held.booking_id)]
        assert ids("CONFIRMED") == [str(paid.booking_id)]
        assert ids("PROCESSING") == []
        assert len(ids("CANCELLED")) == 1

    @pytest.mark.parametrize("query", ["page=999999999&limit=100", "unknown=1", "limit=1"])
    def test_takes_every_page_there_could_be(self, api: Api, query: str) -> None:
        assert api.get(f"{BOOKINGS}/my?{query}").status_code == 200

    @pytest.mark.parametrize(
        ("query", "field"),
        [
            *(
                (f"page={text}", "page")
                for text in ("0", "-1", "x", "", "1.0", "%2B1", "01", "1e3", "1000000000", "9" * 5000)
            ),
            *((f"limit={text}", "limit") for text in ("0", "101", "x", "", "%D9%A1", "1%00", "%ff", "\x80")),
            *((f"status={text}", "status") for text in ("confirmed", "", "UNKNOWN", "PENDING,CONFIRMED")),
            ("page=1&page=1", "page"),
            ("limit=5&limit=6", "limit"),
            ("status=PENDING&status=PENDING", "status"),
        ],
    )
    def test_refuses_everything_else(self, api: Api, query: str, field: str) -> None:
        answer = api.get(f"{BOOKINGS}/my?{query}")

        assert error_of(answer) == (400, "VALIDATION_FAILED")
        assert answer.json is not None
        assert [each["field"] for each in answer.json["error"]["details"]["fields"]] == [field]
