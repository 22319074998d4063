"""The routes of customers: reserve, show, list, cancel (spec, section 7)."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final
from uuid import UUID

from attrs import frozen
from flask import Response

from booking_api.auth.tokens import Identity
from booking_api.http.bodies import booking_json, create_booking_body, idempotency_key, pagination_json, success_body
from booking_api.http.flask_app import (
    FOUND_TAKEN,
    KNOWN_TAKEN,
    REPLAYED_HEADER,
    SEATS_BUSY,
    ApiFlask,
    ApiRequest,
    json_response,
    success,
)
from booking_api.http.metrics import RESERVE_ENDPOINT
from booking_api.http.query import InvalidRequest, both, id_in, page_of, query_of, status_of
from booking_api.service import Service
from booking_core import (
    Booking,
    BookingNotFound,
    CancelBooking,
    IdempotencyKey,
    IdempotentCall,
    InvalidValue,
    ReplayedResponse,
    Reserve,
    SeatAlreadyReserved,
    ServiceBusy,
    cancel,
    get_booking,
    list_bookings,
    reserve,
    reserve_once,
)

BOOKINGS: Final = "/api/v1/bookings"
RESERVING: Final = f"POST {BOOKINGS}"
"""The operation that idempotency keys of reservations belong to."""


def add_booking_routes(app: ApiFlask, service: Service) -> None:
    """Add everything under /api/v1/bookings."""
    routes = BookingRoutes(service)
    app.add_guarded("POST", BOOKINGS, RESERVE_ENDPOINT, routes.create)
    app.add_guarded("GET", f"{BOOKINGS}/my", "list_bookings", routes.mine)
    app.add_guarded("GET", f"{BOOKINGS}/<booking_id>", "get_booking", routes.show)
    app.add_guarded("DELETE", f"{BOOKINGS}/<booking_id>", "cancel_booking", routes.cancel)


@frozen
class BookingRoutes:
    """One method a route. A refusal is raised; `http.errors` turns it into a response."""

    service: Service

    def create(self, request: ApiRequest, identity: Identity) -> Response:
        """201 with the new booking (spec 7.1)."""
        body = request.decoded(create_booking_body)
        try:
            command = Reserve(
                user_id=identity.user_id,
                event_id=body.fields.event_id,
                seat_ids=body.fields.seat_ids,
                correlation_id=request.correlation_id,
            )
        except InvalidValue as error:
            raise InvalidRequest.of(error) from None
        key = idempotency_key(request.environ.get("HTTP_IDEMPOTENCY_KEY"), identity.user_id, RESERVING, body)
        if key is not None:
            return self._create_once(request, command, key)
        booking = self._reserve(request, command)
        request.booking_id = booking.booking_id
        return success(booking_json(booking), 201)

    def _reserve(self, request: ApiRequest, command: Reserve) -> Booking:
        """Reserve; reject without a query if the gateway already knows that a seat is taken."""
        if taken := request.environ.get(KNOWN_TAKEN, frozenset()).intersection(command.seat_ids):
            raise SeatAlreadyReserved.of(taken)
        service = self.service
        with _followers_notified(request):
            booking = reserve(command, store=service.store, catalog_cache=service.catalog_cache, terms=service.terms)
        request.environ[FOUND_TAKEN] = frozenset(booking.seat_ids)
        return booking

    def _create_once(self, request: ApiRequest, command: Reserve, key: IdempotencyKey) -> Response:
        written = b""

        def render(booking: Booking) -> str:
            nonlocal written
            written = success_body(booking_json(booking))
            return written.decode()

        service = self.service
        once = IdempotentCall(key=key, render=render)
        with _followers_notified(request):
            outcome = reserve_once(
                command, once=once, store=service.store, catalog_cache=service.catalog_cache, terms=service.terms
            )
        if isinstance(outcome, ReplayedResponse):
            request.replayed = True
            replayed = json_response(outcome.text.encode(), 201)
            replayed.headers[REPLAYED_HEADER] = "true"
            return replayed
        request.environ[FOUND_TAKEN] = frozenset(outcome.seat_ids)
        request.booking_id = outcome.booking_id
        return json_response(written, 201)

    def show(self, request: ApiRequest, identity: Identity, booking_id: str) -> Response:
        """200 with the booking, if it is the caller's (spec 7.2)."""
        request.booking_id = known = _id_of(booking_id)
        return success(booking_json(get_booking(identity.user_id, known, store=self.service.store)))

    def mine(self, request: ApiRequest, identity: Identity) -> Response:
        """200 with a page of the caller's bookings, newest first (spec 7.3)."""
        query = query_of(request.environ)
        page, status = both(lambda: page_of(query), lambda: status_of(query))
        bookings = list_bookings(identity.user_id, status, page, store=self.service.store)
        return success(
            [booking_json(each) for each in bookings.items], pagination=pagination_json(page, bookings.total)
        )

    def cancel(self, request: ApiRequest, identity: Identity, booking_id: str) -> Response:
        """200 with the cancelled booking, also if its owner had cancelled it before (spec 7.4)."""
        request.booking_id = known = _id_of(booking_id)
        command = CancelBooking(user_id=identity.user_id, booking_id=known, correlation_id=request.correlation_id)
        return success(booking_json(cancel(command, store=self.service.store)))


@contextmanager
def _followers_notified(request: ApiRequest) -> Iterator[None]:
    """Record why a reservation was refused, for the gateway's followers: requests that wait for the same seats."""
    try:
        yield
    except SeatAlreadyReserved as refusal:
        request.environ[FOUND_TAKEN] = frozenset(map(UUID, refusal.details["unavailableSeatIds"]))
        raise
    except ServiceBusy:
        request.environ[SEATS_BUSY] = True
        raise


def _id_of(text: str) -> UUID:
    known = id_in(text)
    if known is None:
        raise BookingNotFound()
    return known
