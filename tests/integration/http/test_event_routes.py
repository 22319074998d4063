"""Events, their seats, and calling one off."""

import gzip
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from booking_core import CancelEvent, SaleStatus, TicketedEvent, close_event, finish_closure
from booking_core.ports import Store
from tests.support.api import BOB, BOOKINGS, EVENTS, ROOT, Api, Hall, data_of, error_of


def shown(hall: Hall, status: str = "ON_SALE") -> dict[str, Any]:
    return {
        "eventId": str(hall.event_id),
        "name": "A concert",
        "startsAt": hall.event.starts_at.isoformat().replace("+00:00", "Z"),
        "status": status,
        "currency": hall.event.currency,
    }


def test_known_events_are_a_list_by_start(api: Api) -> None:
    late, soon = api.hall(starts_in=timedelta(days=9)), api.hall(starts_in=timedelta(days=1))

    answers = [api.get(f"{EVENTS}?page={page}&limit=1") for page in (1, 2)]

    assert [data_of(answer) for answer in answers] == [[shown(soon)], [shown(late)]]
    assert answers[0].json is not None
    assert answers[0].json["pagination"] == {"page": 1, "limit": 1, "total": 2, "totalPages": 2}


@pytest.mark.parametrize("query", ["page=0", "limit=101", "limit=1&limit=2"])
def test_a_page_that_cannot_be_is_refused(api: Api, query: str) -> None:
    assert error_of(api.get(f"{EVENTS}?{query}")) == (400, "VALIDATION_FAILED")


def test_one_event_is_shown_by_its_id_in_either_case(api: Api) -> None:
    hall = api.hall(status=SaleStatus.DRAFT, currency="JPY")

    assert data_of(api.get(f"{EVENTS}/{hall.event_id}")) == shown(hall, "DRAFT")
    assert data_of(api.get(f"{EVENTS}/{str(hall.event_id).upper()}")) == shown(hall, "DRAFT")


def test_an_event_of_the_catalog_is_fetched_when_it_is_first_asked_for(api: Api) -> None:
    hall = api.hall()
    event = TicketedEvent(
        event_id=uuid4(), name="New", starts_at=hall.event.starts_at, status=SaleStatus.ON_SALE, currency="USD"
    )

    class Catalog:
        breaker_state: str | None = None

        def event(self, event_id: UUID) -> TicketedEvent | None:
            return event if event_id == event.event_id else None

        def seats(self, event: TicketedEvent, seat_ids: Any = None) -> Any:
            return hall.seats

        def close(self) -> None:
            """Nothing is open."""

    with_catalog = Api(api.store, api.issuer, catalog=Catalog())

    assert data_of(with_catalog.get(f"{EVENTS}/{event.event_id}"))["name"] == "New"
    assert error_of(with_catalog.get(f"{EVENTS}/{uuid4()}")) == (404, "EVENT_NOT_FOUND")


def test_seats_say_what_everybody_may_know(api: Api) -> None:
    hall = api.hall("75", "75.5", "0", "1000", "9")
    api.held(hall, 0, user=BOB)
    api.paid(api.held(hall, 1, user=BOB))
    api.overdue(hall, 2, user=BOB)
    processing = api.held(hall, 3, user=BOB)
    api.processing(processing)

    answer = api.get(f"{EVENTS}/{hall.event_id}/seats")

    assert data_of(answer) == {
        "eventId": str(hall.event_id),
        "currency": "USD",
        "seats": [
            {
                "seatId": str(seat.seat_id),
                "row": "A",
                "number": seat.number,
                "price": float(seat.price),
                "status": status,
            }
            for seat, status in zip(hall.seats, ["HELD", "SOLD", "AVAILABLE", "HELD", "AVAILABLE"], strict=True)
        ],
    }
    assert b'"price":75.50,' in answer.data
    assert BOB.encode() not in answer.data
    assert str(processing.booking_id).encode() not in answer.data


class TestPollingSeats:
    @pytest.mark.parametrize("query", ["", "?format=compact"])
    def test_what_has_not_changed_is_not_sent_again(self, api: Api, hall: Hall, query: str) -> None:
        path = f"{EVENTS}/{hall.event_id}/seats{query}"
        first = api.get(path)
        again = api.get(path, headers={"If-None-Match": first.headers["ETag"]})
        assert (again.status_code, again.data) == (304, b"")
        assert again.headers["ETag"] == first.headers["ETag"]
        assert again.headers.getlist("Cache-Control") == ["no-cache"]
        api.held(hall, 0)
        changed = api.get(path, headers={"If-None-Match": first.headers["ETag"]})
        assert changed.status_code == 200
        assert changed.headers["Seat-Layout"] == first.headers["Seat-Layout"]

    def test_who_understands_gzip_gets_it(self, api: Api, hall: Hall) -> None:
        path = f"{EVENTS}/{hall.event_id}/seats"
        plain = api.get(path)
        packed = api.get(path, headers={"Accept-Encoding": "br, gzip;q=0.5"})
        assert packed.headers["Content-Encoding"] == "gzip"
        assert gzip.decompress(packed.data) == plain.data
        assert "Content-Encoding" not in plain.headers
        assert "Content-Encoding" not in api.get(path, headers={"Accept-Encoding": "gzip;q=0, br"}).headers
        assert "Accept-Encoding" in packed.headers["Vary"]
        both = {"Accept-Encoding": "gzip", "If-None-Match": plain.headers["ETag"]}
        assert api.get(path, headers=both).status_code == 304

    def test_letters_are_those_of_the_seats_of_the_same_layout(self, api: Api, hall: Hall) -> None:
        api.held(hall, 0)
        api.paid(api.held(hall, 1))
        path = f"{EVENTS}/{hall.event_id}/seats"
        full, compact = api.get(path), api.get(f"{path}?format=compact")
        statuses = [seat["status"][0] for seat in data_of(full)["seats"]]
        assert data_of(compact) == {
            "eventId": str(hall.event_id),
            "layout": full.headers["Seat-Layout"],
            "statuses": "".join(statuses),
        }
        assert {"A", "H", "S"} == set(statuses)

    @pytest.mark.parametrize("query", ["format=short", "format=", "format=compact&format=compact"])
    def test_another_form_is_refused(self, api: Api, hall: Hall, query: str) -> None:
        assert error_of(api.get(f"{EVENTS}/{hall.event_id}/seats?{query}")) == (400, "VALIDATION_FAILED")

    def test_a_refusal_is_not_kept(self, api: Api) -> None:
        assert api.get(f"{EVENTS}/{uuid4()}/seats").headers.getlist("Cache-Control") == ["no-store"]


class TestCancelling:
    def test_closes_the_event_and_says_what_is_left_to_do(self, api: Api, hall: Hall, store: Store) -> None:
        path = f"{EVENTS}/{hall.event_id}/cancel"
        for place in range(3):
            api.paid(api.held(hall, place))

        answer = api.post(path, {"reason": "flood"}, user=ROOT, admin=True, headers={"X-Correlation-Id": "c-9"})

        assert answer.status_code == 202
        assert data_of(answer) == {
            "eventId": str(hall.event_id),
            "status": "CANCELLED",
            "affectedBookings": 3,
            "remaining": 3,
        }
        [closure] = store.reads.open_closures()
        assert (closure.reason, closure.administrator, closure.correlation_id) == ("flood", ROOT, "c-9")
        assert data_of(api.get(f"{EVENTS}/{hall.event_id}"))["status"] == "CANCELLED"
        assert error_of(api.post(BOOKINGS, hall.order(3))) == (409, "EVENT_NOT_ON_SALE")

    def test_counts_those_that_the_worker_has_ended(self, api: Api, hall: Hall, store: Store) -> None:
        path = f"{EVENTS}/{hall.event_id}/cancel"
        for place in range(3):
            api.held(hall, place)
        api.post(path, {"reason": "flood"}, admin=True)
        [closure] = store.reads.open_closures()
        finish_closure(closure, store=store)

        again = api.post(path, {"reason": "another"}, admin=True)

        assert again.status_code == 202
        assert (data_of(again)["affectedBookings"], data_of(again)["remaining"]) == (3, 0)
        once_more = CancelEvent(event_id=hall.event_id, reason="third", administrator=ROOT, correlation_id="c-3")
        assert close_event(once_more, store=store).reason == "flood"

    def test_is_for_administrators(self, api: Api, hall: Hall, store: Store) -> None:
        assert error_of(api.post(f"{EVENTS}/{hall.event_id}/cancel", {"reason": "spite"})) == (403, "FORBIDDEN")
        assert list(store.reads.open_closures()) == []
