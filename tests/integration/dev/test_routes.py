"""What `booking dev` has besides the API: the simulated Payment Service, tokens and their keys."""

from http.client import HTTPConnection
from threading import Barrier, Thread
from typing import Any
from urllib.request import urlopen

import jwt
import pytest

from tests.support.dev import Dev

NOBODYS = "018f2b6a-7c1d-7e3a-9b4c-5d6e7f809101"


def test_tokens_are_signed_by_the_keys_it_shows(dev: Dev) -> None:
    token = dev.token("carla", admin=True)
    key = jwt.PyJWKClient(f"{dev.url}/.well-known/jwks.json").get_signing_key_from_jwt(token)
    claims = jwt.decode(token, key, algorithms=["RS256"], audience="booking-dev")
    assert (claims["sub"], claims["permissions"]) == ("carla", ["booking:admin", "booking:verify"])
    plain = jwt.decode(dev.token("carla"), key, algorithms=["RS256"], audience="booking-dev")
    assert plain["permissions"] == []


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", {"user": ""}, {"user": 7}, {"user": "a", "more": 1}])
def test_a_token_needs_a_user(dev: Dev, body: Any) -> None:
    assert dev.call("POST", "/dev/token", body).error == (400, "VALIDATION_FAILED")


def test_a_payment_is_said_to_be_on_its_way(dev: Dev) -> None:
    ann = dev.token("ann-pays")
    booking_id = dev.hold(ann, seats=2)["bookingId"]
    said = dev.pay(booking_id)
    assert (said.status, set(said.data)) == (202, {"bookingId", "paymentId", "outcome"})
    assert (said.data["bookingId"], said.data["outcome"]) == (booking_id, "success")
    dev.booking_when(ann, booking_id, lambda booking: booking["status"] == "CONFIRMED")


def test_a_payment_can_be_in_progress_and_then_fail(dev: Dev) -> None:
    ben = dev.token("ben-fails")
    booking_id = dev.hold(ben)["bookingId"]
    dev.pay(booking_id, "processing")
    dev.booking_when(ben, booking_id, lambda booking: booking["status"] == "PROCESSING")
    dev.pay(booking_id, "failed")
    ended = dev.booking_when(ben, booking_id, lambda booking: booking["status"] == "CANCELLED")
    assert ended["cancellationReason"] == "PAYMENT_FAILED"


def test_money_that_does_not_fit_goes_back(dev: Dev) -> None:
    cleo = dev.token("cleo-mistaken")
    booking_id = dev.hold(cleo)["bookingId"]
    assert dev.pay(booking_id, amount=0.07, paymentId="too-little").status == 202
    assert dev.pay(booking_id, currency="USD", paymentId="dollars").status == 202

    def both_are_back(booking: dict[str, Any]) -> bool:
        return [refund["status"] for refund in booking.get("refunds", [])] == ["COMPLETED", "COMPLETED"]

    refunds = dev.booking_when(cleo, booking_id, both_are_back)["refunds"]
    assert {refund["reason"] for refund in refunds} == {"AMOUNT_MISMATCH"}
    assert {(refund["paymentId"], refund["amount"], refund["currency"]) for refund in refunds} == {
        ("too-little", 0.07, "EUR"),
        ("dollars", 120.0, "USD"),
    }


def test_the_payment_of_an_unknown_booking_is_refused(dev: Dev) -> None:
    assert dev.pay(NOBODYS).error == (404, "BOOKING_NOT_FOUND")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b'"text"',
        b"\xff",
        {},
        {"bookingId": "nobody's", "outcome": "success"},
        {"bookingId": NOBODYS},
        {"bookingId": NOBODYS, "outcome": "perhaps"},
        {"bookingId": NOBODYS, "outcome": "success", "amount": "12.00"},
        {"bookingId": NOBODYS, "outcome": "success", "amount": True},
        {"bookingId": NOBODYS, "outcome": "success", "amount": 1e18},
        {"bookingId": NOBODYS, "outcome": "success", "amount": 1e-19},
        {"bookingId": NOBODYS, "outcome": "success", "paymentId": ""},
        {"bookingId": NOBODYS, "outcome": "success", "tip": 1},
    ],
    ids=repr,
)
def test_what_cannot_be_a_payment_is_refused(dev: Dev, body: Any) -> None:
    answer = dev.call("POST", "/dev/payments", body)
    assert answer.error == (400, "VALIDATION_FAILED")
    assert not [word for word in ("`", "Expected", "Object") if word in str(answer.body)]


def test_it_says_what_there_is_to_call(dev: Dev) -> None:
    assert dev.call("GET", "/dev").data["events"] == "/api/v1/events"
    with urlopen(f"{dev.url}/readyz", timeout=10) as ready:
        assert ready.status == 200


def test_sixty_four_connections_at_once_are_all_answered(dev: Dev) -> None:
    token, host = dev.token("dora-crowd"), dev.url.removeprefix("http://")
    statuses: list[int] = []
    together = Barrier(64)

    def customer() -> None:
        connection = HTTPConnection(host, timeout=60)
        connection.connect()
        together.wait(60)
        for _ in range(5):
            connection.request("GET", "/api/v1/bookings/my", headers={"Authorization": f"Bearer {token}"})
            with connection.getresponse() as answer:
                answer.read()
                statuses.append(answer.status)
        connection.close()

    threads = [Thread(target=customer) for _ in range(64)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert statuses == [200] * 320
