"""The steps of a reservation that its route and the gateway share."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import UUID

import pytest

from booking_api.http.bodies import Body, CreateBooking, booking_json, create_booking_body, success_body
from booking_api.http.query import InvalidRequest
from booking_api.routes.reservations import RESERVING, ReservationCall
from booking_core import (
    Booking,
    ReplayedResponse,
    SaleStatus,
    Seat,
    SeatAlreadyReserved,
    ServiceBusy,
    Terms,
    TicketedEvent,
)

EVENT, SEAT, OTHER = (UUID(f"018f2b6a-7c1d-7e3a-9b4c-5d6e7f80910{number}") for number in range(3))


def body(*seats: UUID) -> Body[CreateBooking]:
    listed = ",".join(f'"{seat}"' for seat in seats)
    return create_booking_body(f'{{"eventId":"{EVENT}","seatIds":[{listed}]}}'.encode())


def call(key: str | None = None) -> ReservationCall:
    return ReservationCall.of(body(SEAT), user_id="ann", correlation_id="c-1", key_header=key)


def booked(made: ReservationCall) -> Booking:
    now = datetime(2026, 5, 1, tzinfo=UTC)
    return Booking.reserve(
        user_id="ann",
        event=TicketedEvent(
            event_id=EVENT, name="A concert", starts_at=now + timedelta(40), status=SaleStatus.ON_SALE, currency="USD"
        ),
        seats=(Seat(seat_id=SEAT, row="A", number=1, price=Decimal(75)),),
        now=now,
        terms=Terms(),
        cause=made.command.cause,
    )


def test_a_request_without_a_key_is_a_command_alone() -> None:
    made = call()

    assert (made.command.user_id, made.command.event_id, made.command.seat_ids) == ("ann", EVENT, (SEAT,))
    assert made.command.correlation_id == "c-1"
    assert made.once is None


def test_a_key_belongs_to_its_user_and_to_this_route() -> None:
    once = call("k").once

    assert once is not None
    assert (once.key.user_id, once.key.operation, once.key.key) == ("ann", RESERVING, "k")


@pytest.mark.parametrize(
    ("seats", "key", "field"),
    [((), None, "seatIds"), ((SEAT, SEAT), None, "seatIds"), ((SEAT,), "", "Idempotency-Key")],
)
def test_an_invalid_request_names_the_field(seats: tuple[UUID, ...], key: str | None, field: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        ReservationCall.of(body(*seats), user_id="ann", correlation_id="c-1", key_header=key)

    assert caught.value.details["fields"][0]["field"] == field


@pytest.mark.parametrize(
    "headers", [{"content-type": "text/plain"}, {"idempotency-key": "x" * 256}, {"idempotency-key": "\ufffd"}]
)
def test_the_gateway_has_no_call_for_an_invalid_request(headers: dict[str, str]) -> None:
    assert ReservationCall.at_gateway(headers, body(SEAT), user_id="ann", correlation_id="c-1") is None
    assert ReservationCall.at_gateway({}, body(SEAT, SEAT), user_id="ann", correlation_id="c-1") is None
    assert ReservationCall.at_gateway({}, body(SEAT), user_id="ann", correlation_id="c-1") is not None


def test_a_new_booking_is_201_with_it() -> None:
    made = call()
    booking = booked(made)

    response = made.response(booking)

    assert (response.status, response.outcome, response.code) == (201, "CREATED", "")
    assert response.body == success_body(booking_json(booking))
    assert response.booking_id == booking.booking_id


def test_the_customer_receives_the_bytes_that_the_store_keeps() -> None:
    made = call("k")
    first, last = booked(made), booked(made)
    assert made.once is not None

    made.once.render(first)
    kept = made.once.render(last)

    assert made.response(last).body == kept.encode()
    assert made.response(first).body == success_body(booking_json(first)), "each booking its own"


def test_a_replayed_response_is_sent_as_it_was_stored() -> None:
    response = call("k").response(ReplayedResponse(text='{"é":1}'))

    assert (response.status, response.outcome, response.body) == (201, "REPLAYED", '{"é":1}'.encode())
    assert response.headers == (("Idempotency-Replayed", "true"),)
    assert response.booking_id is None


def test_an_error_is_what_the_table_says() -> None:
    refused, failed = call().response(SeatAlreadyReserved.of([SEAT])), call().response(ServiceBusy("a lock"))

    assert (refused.status, refused.code, refused.outcome) == (409, "SEAT_ALREADY_RESERVED", "SEAT_ALREADY_RESERVED")
    assert (failed.status, failed.headers, failed.reason) == (503, (("Retry-After", "1"),), "ServiceBusy: a lock")
    surprise = KeyError("x")
    assert call().response(surprise).unexpected is surprise
