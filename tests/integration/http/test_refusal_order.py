"""Of several reasons to refuse, the first of the design's order is given; a 401 comes before all of them."""

from typing import Any
from uuid import uuid4

import pytest

from booking_core import SaleStatus
from tests.support.api import BOB, BOOKINGS, EVENTS, Api, Hall, error_of

ELEVEN = [str(uuid4()) for _ in range(11)]


def everything_is_wrong(api: Api) -> tuple[Hall, dict[str, Any]]:
    """A draft with a seat of somebody else's, asked for by a customer with three holds, with an unknown seat beside."""
    other, hall = api.hall(), api.hall()
    for place in range(3):
        api.held(other, place)
    api.held(hall, 0, user=BOB)
    return hall, {"eventId": str(hall.event_id), "seatIds": [*hall.ids(0), str(uuid4())]}


def test_the_reasons_come_in_their_order_as_the_request_gets_better(api: Api) -> None:
    hall, order = everything_is_wrong(api)
    draft = api.hall(status=SaleStatus.DRAFT)

    def refused(body: Any, **how: Any) -> str:
        return error_of(api.post(BOOKINGS, body, **how))[1]

    worst = {"eventId": 5, "seatIds": ELEVEN, "more": 1}
    assert refused(worst, user=None, headers={"Idempotency-Key": ""}) == "UNAUTHENTICATED"
    assert refused(worst) == "VALIDATION_FAILED"
    assert refused({"eventId": str(uuid4()), "seatIds": [*ELEVEN, ELEVEN[0]]}) == "VALIDATION_FAILED"
    assert refused({"eventId": str(uuid4()), "seatIds": ELEVEN}) == "TOO_MANY_SEATS"
    assert refused({"eventId": str(uuid4()), "seatIds": ELEVEN[:10]}) == "EVENT_NOT_FOUND"
    assert refused({"eventId": str(draft.event_id), "seatIds": ELEVEN[:10]}) == "EVENT_NOT_ON_SALE"
    assert refused(order) == "SEAT_NOT_FOUND"
    assert refused(hall.order(0)) == "PENDING_LIMIT_REACHED"
    assert refused(hall.order(0), user="auth0|new") == "SEAT_ALREADY_RESERVED"
    assert api.post(BOOKINGS, hall.order(1), user="auth0|new").status_code == 201


def test_ten_seats_are_not_too_many(api: Api) -> None:
    hall = api.hall(*["10.00"] * 11)

    assert error_of(api.post(BOOKINGS, hall.order(*range(11)))) == (422, "TOO_MANY_SEATS")
    assert api.post(BOOKINGS, hall.order(*range(10))).status_code == 201


@pytest.mark.parametrize("token", [None, "Bearer x", "Bearer ", "Basic YTpi", "Bearer " + "a" * 9000])
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", BOOKINGS),
        ("GET", f"{BOOKINGS}/no-id"),
        ("DELETE", f"{BOOKINGS}/no-id"),
        ("GET", f"{BOOKINGS}/my?page=x"),
        ("GET", f"{EVENTS}?page=x"),
        ("GET", f"{EVENTS}/no-id"),
        ("GET", f"{EVENTS}/no-id/seats"),
        ("POST", f"{EVENTS}/no-id/cancel"),
    ],
)
def test_without_a_valid_token_nothing_else_is_looked_at(api: Api, method: str, path: str, token: str | None) -> None:
    headers = {} if token is None else {"Authorization": token}

    answer = api.call(method, path, user=None, body=b"[" * 70_000, headers=headers)

    assert error_of(answer) == (401, "UNAUTHENTICATED")


def test_an_administrators_route_asks_permission_then_body_then_event(api: Api, hall: Hall) -> None:
    def refused(path: str, body: Any, **how: Any) -> str:
        return error_of(api.post(f"{EVENTS}/{path}/cancel", body, **how))[1]

    assert refused("no-id", b"{", user=None) == "UNAUTHENTICATED"
    assert refused("no-id", b"{") == "FORBIDDEN"
    assert refused("no-id", b"{", admin=True) == "VALIDATION_FAILED"
    assert refused("no-id", {"reason": "r"}, admin=True, headers={"Idempotency-Key": ""}) == "VALIDATION_FAILED"
    assert refused("no-id", {"reason": "r"}, admin=True) == "EVENT_NOT_FOUND"
    assert refused(str(uuid4()), {"reason": "r"}, admin=True) == "EVENT_NOT_FOUND"


@pytest.mark.parametrize("path", [f"{EVENTS}/%s", f"{EVENTS}/%s/seats"])
def test_a_text_that_is_no_id_is_simply_an_unknown_event(api: Api, path: str) -> None:
    sent = {"X-Correlation-Id": "the-same"}

    answers = [
        api.get(path % piece, headers=sent)
        for piece in (str(uuid4()), "x", f"{uuid4()}x", uuid4().hex, f"{{{uuid4()}}}")
    ]

    assert {error_of(answer) for answer in answers} == {(404, "EVENT_NOT_FOUND")}
    assert len({(answer.data, tuple(answer.headers)) for answer in answers}) == 1
