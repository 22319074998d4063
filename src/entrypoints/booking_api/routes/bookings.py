"""The routes of customers: reserve, look, cancel (spec, section 7)."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final
from uuid import UUID

from attrs import frozen
from flask import Flask, Response

from booking_api.auth.verifier import Identity
from booking_api.http.api_request import ApiRequest
from booking_api.http.bodies import create_booking_in
from booking_api.http.envelope import answer, enveloped, success
from booking_api.http.gateway_environ import FOUND, HELD_UP, known_taken
from booking_api.http.idempotency import REPLAYED_HEADER, idempotency_key_of
from booking_api.http.query import InvalidRequest, both, id_in, page_of, query_of, status_of
from booking_api.http.rendering import booking_json, pagination_json
from booking_api.routes.guard import add_guarded
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
CREATE: Final = "create_booking"
RESERVING: Final = f"POST {BOOKINGS}"
"""The operation that idempotency keys of reservations belong to."""


def add_booking_routes(app: Flask, service: Service) -> None:
    """Everything under /api/v1/bookings."""
    routes = BookingRoutes(service)
    add_guarded(app, "POST", BOOKINGS, CREATE, routes.create)
    add_guarded(app, "GET", f"{BOOKINGS}/my", "list_bookings", routes.mine)
    add_guarded(app, "GET", f"{BOOKINGS}/<booking_id>", "get_booking", routes.show)
    add_guarded(app, "DELETE", f"{BOOKINGS}/<booking_id>", "cancel_booking", routes.cancel)


@frozen
class BookingRoutes:
    """Each method answers one route. Refusals are raised; `errors` answers them."""

    service: Service

    def create(self, exchange: ApiRequest, identity: Identity) -> Response:
        """201 with the new booking (spec 7.1)."""
        body = create_booking_in(exchange)
        try:
            command = Reserve(
                user_id=identity.user_id,
                event_id=body.fields.event_id,
                seat_ids=body.fields.seat_ids,
                correlation_id=exchange.correlation_id,
            )
        except InvalidValue as error:
            raise InvalidRequest.of(error) from None
        key = idempotency_key_of(exchange, identity.user_id, RESERVING, body.document)
        if key is not None:
            return self._create_once(exchange, command, key)
        booking = self._reserve(exchange, command)
        exchange.booking_id = booking.booking_id
        return success(booking_json(booking), 201)

    def _reserve(self, exchange: ApiRequest, command: Reserve) -> Booking:
        """Unless the seats are known to be taken: then nothing is asked. What is found out is told (see `crowd`)."""
        if taken := known_taken(exchange.environ).intersection(command.seat_ids):
            raise SeatAlreadyReserved.of(taken)
        service = self.service
        with _telling(exchange):
            booking = reserve(command, store=service.store, catalog_cache=service.catalog_cache, terms=service.terms)
        exchange.environ[FOUND] = frozenset(booking.seat_ids)
        return booking

    def _create_once(self, exchange: ApiRequest, command: Reserve, key: IdempotencyKey) -> Response:
        written = b""

        def render(booking: Booking) -> str:
            nonlocal written
            written = enveloped(booking_json(booking))
            return written.decode()

        service = self.service
        once = IdempotentCall(key=key, render=render)
        with _telling(exchange):
            outcome = reserve_once(
                command, once=once, store=service.store, catalog_cache=service.catalog_cache, terms=service.terms
            )
        if isinstance(outcome, ReplayedResponse):
            exchange.replayed = True
            replayed = answer(outcome.text.encode(), 201)
            replayed.headers[REPLAYED_HEADER] = "true"
            return replayed
        exchange.environ[FOUND] = frozenset(outcome.seat_ids)
        exchange.booking_id = outcome.booking_id
        return answer(written, 201)

    def show(self, exchange: ApiRequest, identity: Identity, booking_id: str) -> Response:
        """200 with the booking, if it is the caller's (spec 7.2)."""
        exchange.booking_id = found = _id_of(booking_id)
        return success(booking_json(get_booking(identity.user_id, found, store=self.service.store)))

    def mine(self, exchange: ApiRequest, identity: Identity) -> Response:
        """200 with a page of the caller's bookings, newest first (spec 7.3)."""
        query = query_of(exchange)
        page, status = both(lambda: page_of(query), lambda: status_of(query))
        found = list_bookings(identity.user_id, status, page, store=self.service.store)
        return success([booking_json(each) for each in found.items], pagination=pagination_json(page, found.total))

    def cancel(self, exchange: ApiRequest, identity: Identity, booking_id: str) -> Response:
        """200 with the cancelled booking, also when its owner had cancelled it before (spec 7.4)."""
        exchange.booking_id = found = _id_of(booking_id)
        command = CancelBooking(user_id=identity.user_id, booking_id=found, correlation_id=exchange.correlation_id)
        return success(booking_json(cancel(command, store=self.service.store)))


@contextmanager
def _telling(exchange: ApiRequest) -> Iterator[None]:
    """What a reservation finds out that is refused is there for those who want the same (see `crowd`)."""
    try:
        yield
    except SeatAlreadyReserved as refusal:
        exchange.environ[FOUND] = frozenset(map(UUID, refusal.details["unavailableSeatIds"]))
        raise
    except ServiceBusy:
        exchange.environ[HELD_UP] = True
        raise


def _id_of(text: str) -> UUID:
    found = id_in(text)
    if found is None:
        raise BookingNotFound()
    return found
