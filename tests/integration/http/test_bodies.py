"""Bodies and headers that cannot be understood are 400 VALIDATION_FAILED, and `details.fields` says where."""

import io
import json
from typing import Any
from uuid import UUID

import pytest

from tests.support.api import ANN, BOOKINGS, EVENTS, Api, Hall, details_of, error_of

# No store makes a difference here, so one is enough.
pytestmark = pytest.mark.parametrize("store", ["memory"], indirect=True)

EVENT = "018f2b6a-7c1d-7e3a-9b4c-5d6e7f809101"
SEAT = "018f2b6a-7c1d-7e3a-9b4c-5d6e7f80910a"
GOOD = json.dumps({"eventId": EVENT, "seatIds": [SEAT]})
DEEP = "[" * 30_000


NO_IDS: list[Any] = [None, 1, True, [], {}, "", "x", f" {EVENT}", 1.5]
NO_LISTS: list[Any] = [None, SEAT, {}, 1, [], [SEAT, SEAT]]


def reserving(**changes: Any) -> str:
    return json.dumps({"eventId": EVENT, "seatIds": [SEAT], **changes})


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ("", "body"),
        ("{", "body"),
        ("null", "body"),
        ("[]", "body"),
        ('"text"', "body"),
        ("7", "body"),
        ("NaN", "body"),
        (DEEP, "body"),
        (GOOD + " x", "body"),
        ("\ufeff" + GOOD, "body"),
        (GOOD.replace('"', "'"), "body"),
        (GOOD[:-1] + ",}", "body"),
        (f'{{"eventId":"{EVENT}","eventId":"{EVENT}","seatIds":["{SEAT}"]}}', "body"),
        (f'{{"eventId":"{EVENT}","event\\u0049d":"{EVENT}","seatIds":["{SEAT}"]}}', "body"),
        ('{"eventId":NaN,"seatIds":[]}', "body"),
        ('{"eventId":"\\ud800","seatIds":[]}', "body"),
        (json.dumps({"eventId": EVENT}), "seatIds"),
        (json.dumps({"seatIds": [SEAT]}), "eventId"),
        (reserving(more=1), "more"),
        (reserving(**{"x" * 1000: 1}), "x" * 64),
        (f'{{"eventId":"{EVENT}","seatIds":["{SEAT}"],"deep":{DEEP}', "deep"),
        *((reserving(eventId=value), "eventId") for value in NO_IDS),
        (reserving(eventId=EVENT.replace("-", "")), "eventId"),
        (reserving(eventId=f"urn:uuid:{EVENT}"), "eventId"),
        (reserving(eventId=f"{{{EVENT}}}"), "eventId"),
        *((reserving(seatIds=value), "seatIds") for value in NO_LISTS),
        (reserving(seatIds=[SEAT, SEAT.upper()]), "seatIds"),
        (reserving(seatIds=[SEAT, None]), "seatIds[1]"),
        (reserving(seatIds=[SEAT, EVENT, SEAT.replace("-", "")]), "seatIds[2]"),
        (reserving(seatIds=[[SEAT]]), "seatIds[0]"),
    ],
)
def test_a_reservation_that_cannot_be_understood(api: Api, body: str, field: str) -> None:
    answer = api.post(BOOKINGS, body.encode())

    assert error_of(answer) == (400, "VALIDATION_FAILED")
    (problem,) = details_of(answer)["fields"]
    assert set(problem) == {"field", "problem"}
    assert problem["field"] == field
    assert len(answer.data) < 1000


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ("{}", ["eventId", "seatIds"]),
        (json.dumps({"event_id": EVENT, "seatIds": [SEAT]}), ["eventId", "event_id"]),
        (json.dumps({"eventId": 7, "seatIds": "x", "more": 1, "less": 2}), ["eventId", "seatIds", "more", "less"]),
        (reserving(eventId="x", seatIds=[SEAT, 1, EVENT.replace("-", "")]), ["eventId", "seatIds[1]", "seatIds[2]"]),
        (reserving(eventId=EVENT.replace("-", ""), seatIds=[SEAT.replace("-", "")]), ["eventId", "seatIds[0]"]),
        (reserving(seatIds=[1] * 10_000), [f"seatIds[{place}]" for place in range(20)]),
    ],
)
def test_everything_that_is_wrong_is_named(api: Api, body: str, fields: list[str]) -> None:
    answer = api.post(BOOKINGS, body.encode())

    assert error_of(answer) == (400, "VALIDATION_FAILED")
    assert [each["field"] for each in details_of(answer)["fields"]] == fields
    assert "more)" in answer.get_json()["error"]["message"]
    assert len(answer.data) < 3000


def test_everything_that_is_wrong_with_a_query_is_named(api: Api) -> None:
    answer = api.get(f"{BOOKINGS}/my?page=0&limit=1000&status=LOST")

    assert error_of(answer) == (400, "VALIDATION_FAILED")
    assert [each["field"] for each in details_of(answer)["fields"]] == ["page", "limit", "status"]


@pytest.mark.parametrize("body", [b"\xff\xfe", b'{"\xff":1}', GOOD.encode("utf-16"), b"\x00" * 100])
def test_a_body_in_another_encoding(api: Api, body: bytes) -> None:
    assert error_of(api.post(BOOKINGS, body)) == (400, "VALIDATION_FAILED")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (b"", "body"),
        (b"{}", "reason"),
        (b'{"reason":null}', "reason"),
        (b'{"reason":""}', "reason"),
        (json.dumps({"reason": "x" * 256}).encode(), "reason"),
        (b'{"reason":"a\\u0000b"}', "reason"),
        (b'{"reason":"\xff"}', "body"),
        (b'{"reason":"a","reason":"b"}', "body"),
        (b'{"reason":"a\nb"}', "body"),
        (b'{"reason":"a","force":true}', "force"),
    ],
)
def test_a_cancellation_that_cannot_be_understood(api: Api, hall: Hall, body: bytes, field: str) -> None:
    answer = api.post(f"{EVENTS}/{hall.event_id}/cancel", body, admin=True)

    assert error_of(answer) == (400, "VALIDATION_FAILED")
    assert [each["field"] for each in details_of(answer)["fields"]] == [field]
    assert list(api.store.reads.open_closures()) == []


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", "application/jsonx", "x"])
def test_a_body_that_says_it_is_no_json(api: Api, hall: Hall, content_type: str) -> None:
    answer = api.post(BOOKINGS, hall.order(0), headers={"Content-Type": content_type})

    assert error_of(answer) == (400, "VALIDATION_FAILED")
    assert details_of(answer)["fields"][0]["field"] == "Content-Type"


@pytest.mark.parametrize("content_type", ["application/json; charset=utf-8", "Application/JSON", ""])
def test_a_body_that_says_it_is_json_or_nothing(api: Api, hall: Hall, content_type: str) -> None:
    assert api.post(BOOKINGS, hall.order(0), headers={"Content-Type": content_type}).status_code == 201


def test_64_kb_are_read_and_not_a_byte_more(api: Api, hall: Hall) -> None:
    order = json.dumps(hall.order(0)).encode()

    assert error_of(api.post(BOOKINGS, order.ljust(64 * 1024 + 1))) == (413, "PAYLOAD_TOO_LARGE")
    assert api.post(BOOKINGS, order.ljust(64 * 1024)).status_code == 201


@pytest.mark.parametrize(("length", "expected"), [(64 * 1024, 201), (64 * 1024 + 1, 413), (1_000_000, 413)])
def test_a_body_that_does_not_say_its_length_has_the_same_limit(
    api: Api, hall: Hall, length: int, expected: int
) -> None:
    answer = api.client.post(
        BOOKINGS,
        input_stream=io.BytesIO(json.dumps(hall.order(0)).encode().ljust(length)),
        content_type="application/json",
        headers={"Authorization": f"Bearer {api.issuer.sign(ANN)}", "Transfer-Encoding": "chunked"},
        environ_overrides={"wsgi.input_terminated": True},
    )

    assert answer.status_code == expected


def test_a_list_of_seats_that_fills_the_body_is_only_too_long(api: Api) -> None:
    seats = [str(UUID(int=number)) for number in range(1600)]

    assert error_of(api.post(BOOKINGS, {"eventId": EVENT, "seatIds": seats})) == (422, "TOO_MANY_SEATS")
    assert error_of(api.post(BOOKINGS, {"eventId": EVENT, "seatIds": [*seats, seats[0]]})) == (400, "VALIDATION_FAILED")


class TestCorrelationId:
    @pytest.mark.parametrize("given", ["a", "order-7", "A.b_c:d-9", "x" * 128])
    def test_of_the_right_form_is_taken_in(self, api: Api, given: str) -> None:
        for path in ("/healthz", "/nothing", f"{BOOKINGS}/my"):
            answer = api.get(path, user=None, headers={"X-Correlation-Id": given})

            assert answer.headers.getlist("X-Correlation-Id") == [given]

    @pytest.mark.parametrize("given", ["", " ", "a b", "x" * 129, 'a"b', "é", "a,b", "{}", "a\tb", "a\x00b"])
    def test_of_another_form_is_replaced(self, api: Api, given: str) -> None:
        answers = [api.get("/healthz", user=None, headers={"X-Correlation-Id": given}) for _ in range(2)]

        first, second = (answer.headers["X-Correlation-Id"] for answer in answers)
        assert UUID(first) != UUID(second)
