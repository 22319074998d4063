"""Every row of the table of errors (design, section 5), each by a request that meets it."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from booking_api.auth.tokens import KeysUnavailable
from booking_api.http.errors import STATUS
from booking_core import CatalogUnavailable, IdempotencyKey, SaleStatus, Seat, TicketedEvent
from booking_memory.adapter import create_store
from tests.support.api import ANN, BOB, BOOKINGS, EVENTS, Api, details_of, error_of


class SilentCatalog:
    """The Catalog while it is down."""

    breaker_state: str | None = None

    def event(self, event_id: UUID) -> TicketedEvent | None:
        raise CatalogUnavailable("connection to 10.1.2.3 refused")

    def seats(self, event: TicketedEvent, seat_ids: Any = None) -> list[Seat] | None:
        raise CatalogUnavailable("connection to 10.1.2.3 refused")

    def close(self) -> None:
        """Nothing is open."""


class NoKeys:
    """The issuer's keys while they have never been read."""

    def key(self, kid: str) -> Any:
        raise KeysUnavailable("connection to 10.1.2.3 refused", retry_after_seconds=7)

    def current(self, kid: str) -> None:
        return None

    def ensure_loaded(self) -> bool:
        return False


class BrokenStore:
    """A store with a bug in all that a request uses; the application is created over its upkeep."""

    upkeep = create_store({}).upkeep

    def __getattr__(self, name: str) -> Any:
        raise RuntimeError("SELECT secret FROM customers")


def unauthenticated(api: Api) -> Any:
    return api.get(f"{BOOKINGS}/my", user=None)


def forbidden(api: Api) -> Any:
    return api.post(f"{EVENTS}/{uuid4()}/cancel", {"reason": "flood"})


def validation_failed(api: Api) -> Any:
    return api.post(BOOKINGS, {})


def too_many_seats(api: Api) -> Any:
    return api.post(BOOKINGS, {"eventId": str(uuid4()), "seatIds": [str(uuid4()) for _ in range(11)]})


def event_not_found(api: Api) -> Any:
    return api.post(BOOKINGS, {"eventId": str(uuid4()), "seatIds": [str(uuid4())]})


def seat_not_found(api: Api) -> Any:
    hall, unknown = api.hall(), [str(uuid4()), str(uuid4())]
    answer = api.post(BOOKINGS, {"eventId": str(hall.event_id), "seatIds": [*unknown, *hall.ids(0)]})
    assert details_of(answer) == {"seatIds": sorted(unknown)}
    return answer


def booking_not_found(api: Api) -> Any:
    return api.get(f"{BOOKINGS}/{uuid4()}")


def seat_already_reserved(api: Api) -> Any:
    hall = api.hall()
    api.held(hall, 0, 2, 3, user=BOB)
    answer = api.post(BOOKINGS, hall.order(2, 1, 0))
    assert details_of(answer) == {"unavailableSeatIds": hall.ids(0, 2)}
    return answer


def pending_limit_reached(api: Api) -> Any:
    hall = api.hall()
    for place in range(3):
        api.held(hall, place)
    return api.post(BOOKINGS, hall.order(3))


def event_not_on_sale(api: Api) -> Any:
    for hall in (api.hall(status=SaleStatus.DRAFT), api.hall(status=SaleStatus.CANCELLED)):
        assert error_of(api.post(BOOKINGS, hall.order(0))) == (409, "EVENT_NOT_ON_SALE")
    return api.post(BOOKINGS, api.hall(starts_in=timedelta(seconds=-1)).order(0))


def ticket_not_available(api: Api) -> Any:
    booking = api.held(api.hall(), 0)
    answer = api.get(f"{BOOKINGS}/{booking.booking_id}/ticket.svg")
    assert details_of(answer) == {"status": "PENDING"}
    return answer


def payment_in_progress(api: Api) -> Any:
    booking = api.held(api.hall(), 0)
    api.processing(booking)
    return api.delete(f"{BOOKINGS}/{booking.booking_id}")


def booking_not_cancellable(api: Api) -> Any:
    return api.delete(f"{BOOKINGS}/{api.overdue(api.hall(), 0).booking_id}")


def idempotency_key_reused(api: Api) -> Any:
    hall, headers = api.hall(), {"Idempotency-Key": "k"}
    assert api.post(BOOKINGS, hall.order(0), headers=headers).status_code == 201
    return api.post(BOOKINGS, hall.order(1), headers=headers)


def idempotency_in_progress(api: Api) -> Any:
    hall = api.hall()
    key = IdempotencyKey(user_id=ANN, operation=f"POST {BOOKINGS}", key="k", fingerprint="f")
    with api.store.unit_of_work() as first:
        assert first.responses.claim(key) is None
        return api.post(BOOKINGS, hall.order(0), headers={"Idempotency-Key": "k"})


def service_busy(api: Api) -> Any:
    booking = api.held(api.hall(), 0)
    with api.store.unit_of_work() as somebody:
        assert booking.booking_id in somebody.bookings.lock(booking.booking_id)
        return api.delete(f"{BOOKINGS}/{booking.booking_id}")


def keys_unavailable(api: Api) -> Any:
    answer = Api(api.store, api.issuer, keys=NoKeys()).get(f"{BOOKINGS}/my")
    assert answer.headers["Retry-After"] == "7"
    return answer


def catalog_unavailable(api: Api) -> Any:
    return event_not_found(Api(api.store, api.issuer, catalog=SilentCatalog()))


def not_found(api: Api) -> Any:
    for path in ("/", "/api", f"{BOOKINGS}/", f"{BOOKINGS}/{uuid4()}/", "/api//v1/bookings/my", "/static/x"):
        assert error_of(api.get(path)) == (404, "NOT_FOUND"), path
    return api.get("/api/v1/nothing", user=None)


def method_not_allowed(api: Api) -> Any:
    answer = api.call("PUT", f"{BOOKINGS}/{uuid4()}")
    assert answer.headers["Allow"] == "DELETE, GET, HEAD"
    assert api.call("BREW", BOOKINGS).headers["Allow"] == "POST"
    return answer


def payload_too_large(api: Api) -> Any:
    return api.post(BOOKINGS, b" " * (64 * 1024 + 1))


def internal_error(api: Api) -> Any:
    return Api(BrokenStore(), api.issuer).get(f"{BOOKINGS}/my")


ROWS: dict[Callable[[Api], Any], tuple[int, str]] = {
    unauthenticated: (401, "UNAUTHENTICATED"),
    forbidden: (403, "FORBIDDEN"),
    validation_failed: (400, "VALIDATION_FAILED"),
    too_many_seats: (422, "TOO_MANY_SEATS"),
    event_not_found: (404, "EVENT_NOT_FOUND"),
    seat_not_found: (404, "SEAT_NOT_FOUND"),
    booking_not_found: (404, "BOOKING_NOT_FOUND"),
    seat_already_reserved: (409, "SEAT_ALREADY_RESERVED"),
    pending_limit_reached: (409, "PENDING_LIMIT_REACHED"),
    event_not_on_sale: (409, "EVENT_NOT_ON_SALE"),
    ticket_not_available: (409, "TICKET_NOT_AVAILABLE"),
    payment_in_progress: (409, "PAYMENT_IN_PROGRESS"),
    booking_not_cancellable: (409, "BOOKING_NOT_CANCELLABLE"),
    idempotency_key_reused: (422, "IDEMPOTENCY_KEY_REUSED"),
    idempotency_in_progress: (409, "IDEMPOTENCY_IN_PROGRESS"),
    service_busy: (503, "SERVICE_BUSY"),
    keys_unavailable: (503, "SERVICE_BUSY"),
    catalog_unavailable: (503, "CATALOG_UNAVAILABLE"),
    not_found: (404, "NOT_FOUND"),
    method_not_allowed: (405, "METHOD_NOT_ALLOWED"),
    payload_too_large: (413, "PAYLOAD_TOO_LARGE"),
    internal_error: (500, "INTERNAL_ERROR"),
}
LATER = {"SERVICE_BUSY", "CATALOG_UNAVAILABLE", "IDEMPOTENCY_IN_PROGRESS"}


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.__name__)
def test_a_request_meets_the_row(api: Api, row: Callable[[Api], Any]) -> None:
    answer = row(api)

    status, code = error_of(answer)
    assert (status, code) == ROWS[row]
    assert ("Retry-After" in answer.headers) == (code in LATER)
    assert int(answer.headers.get("Retry-After", 1)) >= 1
    assert answer.headers.get("WWW-Authenticate") == ("Bearer" if status == 401 else None)
    assert answer.headers["X-Correlation-Id"]
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    for leak in (b"SELECT", b"secret", b"10.1.2.3", b"Traceback", b"booking_core", BOB.encode(), b".py"):
        assert leak not in answer.data


def test_the_rows_are_the_whole_table() -> None:
    assert {code: status for status, code in ROWS.values()} == dict(STATUS)


def test_a_confirmed_booking_cannot_be_cancelled_once_its_event_has_started(api: Api) -> None:
    hall = api.hall()
    booking = api.held(hall, 0)
    api.paid(booking)
    api.put(
        TicketedEvent(
            event_id=hall.event_id,
            name="A concert",
            starts_at=api.store.reads.now() - timedelta(seconds=1),
            status=SaleStatus.ON_SALE,
            currency="USD",
        )
    )

    assert error_of(api.delete(f"{BOOKINGS}/{booking.booking_id}")) == (409, "BOOKING_NOT_CANCELLABLE")
