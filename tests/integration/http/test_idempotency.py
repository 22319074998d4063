"""`Idempotency-Key`: one effect and one answer for the same request, 422 for another one under the same key."""

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from werkzeug.test import TestResponse

from booking_core import IdempotencyKey
from tests.support.api import ANN, BOB, BOOKINGS, EVENTS, ROOT, Api, Hall, data_of, details_of, error_of


def post(api: Api, body: Any, key: str = "k", **how: Any) -> TestResponse:
    return api.post(BOOKINGS, body, headers={"Idempotency-Key": key}, **how)


def test_the_same_request_again_gets_the_same_answer(api: Api, hall: Hall) -> None:
    order = hall.order(0, 1)

    first, again = post(api, order), post(api, order)

    assert (first.status_code, again.status_code) == (201, 201)
    assert first.data == again.data
    assert b'"totalAmount":150.00,' in again.data
    assert first.content_type == again.content_type
    assert "Idempotency-Replayed" not in first.headers
    assert again.headers["Idempotency-Replayed"] == "true"
    assert api.store.reads.statistics().outbox == 1


def test_the_first_answer_stays_when_the_booking_has_changed(api: Api, hall: Hall) -> None:
    first = post(api, hall.order(0))
    api.delete(f"{BOOKINGS}/{data_of(first)['bookingId']}")

    assert post(api, hall.order(0)).data == first.data


def test_bodies_are_compared_as_json(api: Api, hall: Hall) -> None:
    order = hall.order(0, 1)
    first = post(api, order)
    turned = json.dumps(dict(reversed(order.items())), indent=4).encode()
    escaped = json.dumps(order).replace("-", "\\u002d").encode()

    assert post(api, turned).data == first.data
    assert post(api, escaped).data == first.data
    assert error_of(post(api, hall.order(0))) == (422, "IDEMPOTENCY_KEY_REUSED")
    assert error_of(post(api, hall.order(1, 0))) == (422, "IDEMPOTENCY_KEY_REUSED"), "a list has an order"


def test_a_key_belongs_to_its_user_and_its_text_counts_to_the_letter(api: Api, hall: Hall) -> None:
    first = post(api, hall.order(0))

    assert error_of(post(api, hall.order(0), user=BOB)) == (409, "SEAT_ALREADY_RESERVED")
    assert error_of(post(api, hall.order(0), key="K")) == (409, "SEAT_ALREADY_RESERVED")
    assert post(api, hall.order(0)).data == first.data


def test_refusals_are_not_kept(api: Api, hall: Hall) -> None:
    theirs = api.held(hall, 0, user=BOB)

    refused = post(api, hall.order(0))
    api.delete(f"{BOOKINGS}/{theirs.booking_id}", user=BOB)

    assert error_of(refused) == (409, "SEAT_ALREADY_RESERVED")
    assert post(api, hall.order(0)).status_code == 201


@pytest.mark.parametrize("key", ["x", "x" * 255, " ~!'\"\\ a", "0190a5b0-0000-7000-8000-0000000000aa"])
def test_any_printable_ascii_is_a_key(api: Api, hall: Hall, key: str) -> None:
    first, again = post(api, hall.order(0), key=key), post(api, hall.order(0), key=key)

    assert (first.status_code, again.status_code) == (201, 201)
    assert first.data == again.data


@pytest.mark.parametrize("key", ["", "x" * 256, "é", "a\tb", "a\x00b", "a\x7fb"])
def test_anything_else_is_no_key(api: Api, hall: Hall, key: str) -> None:
    answer = post(api, hall.order(0), key=key)

    assert error_of(answer) == (400, "VALIDATION_FAILED")
    assert details_of(answer)["fields"][0]["field"] == "Idempotency-Key"
    assert api.get(f"{BOOKINGS}/my", headers={"Idempotency-Key": key}).status_code == 200, "only POST has keys"


def test_in_parallel_there_is_one_booking_and_every_answer_is_it_or_says_wait(api: Api, hall: Hall) -> None:
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: post(api, hall.order(0, 1)), range(24)))

    made = [answer for answer in answers if answer.status_code == 201]
    assert len({answer.data for answer in made}) == 1
    assert sum("Idempotency-Replayed" not in answer.headers for answer in made) == 1
    assert {error_of(answer) for answer in answers if answer not in made} <= {(409, "IDEMPOTENCY_IN_PROGRESS")}
    assert api.store.reads.statistics().outbox == 1


class TestCancellingAnEvent:
    def test_keeps_its_first_answer(self, api: Api, hall: Hall) -> None:
        api.held(hall, 0)

        def cancel(reason: str = "flood", event: Hall = hall) -> TestResponse:
            path = f"{EVENTS}/{event.event_id}/cancel"
            return api.post(path, {"reason": reason}, user=ROOT, admin=True, headers={"Idempotency-Key": "k"})

        first, again = cancel(), cancel()

        assert (first.status_code, again.status_code) == (202, 202)
        assert first.data == again.data
        assert [answer.headers.get("Idempotency-Replayed") for answer in (first, again)] == [None, "true"]
        assert error_of(cancel("fire")) == (422, "IDEMPOTENCY_KEY_REUSED")
        assert cancel(event=api.hall()).status_code == 202, "the path is part of the key's scope"

    def test_waits_for_the_first_one_only_so_long(self, api: Api, hall: Hall) -> None:
        path = f"{EVENTS}/{hall.event_id}/cancel"
        key = IdempotencyKey(user_id=ANN, operation=f"POST {path}", key="k", fingerprint="f")

        with api.store.unit_of_work() as first:
            first.responses.claim(key)
            answer = api.post(path, {"reason": "flood"}, admin=True, headers={"Idempotency-Key": "k"})

        assert error_of(answer) == (409, "IDEMPOTENCY_IN_PROGRESS")
