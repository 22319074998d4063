"""The routes of customers to their bookings: show, list, cancel (spec, section 7)."""

from typing import Final
from uuid import UUID

from attrs import frozen
from flask import Response

from booking_api.auth.tokens import Identity
from booking_api.http.bodies import booking_json, pagination_json
from booking_api.http.flask_app import (
    ApiFlask,
    ApiRequest,
    success,
)
from booking_api.http.query import both, id_in, page_of, query_of, status_of
from booking_api.service import Service
from booking_core import (
    BookingNotFound,
    CancelBooking,
    cancel,
    get_booking,
    list_bookings,
)

BOOKINGS: Final = "/api/v1/bookings"


def add_booking_routes(app: ApiFlask, service: Service) -> None:
    """Add everything under /api/v1/bookings but the reservation."""
    routes = BookingRoutes(service)
    app.add_guarded("GET", f"{BOOKINGS}/my", "list_bookings", routes.mine)
    app.add_guarded("GET", f"{BOOKINGS}/<booking_id>", "get_booking", routes.show)
    app.add_guarded("DELETE", f"{BOOKINGS}/<booking_id>", "cancel_booking", routes.cancel)


@frozen
class BookingRoutes:
    """One method a route. A refusal is raised; `http.errors` turns it into a response."""

    service: Service

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
        service = self.service
        booking = cancel(command, store=service.store, catalog_cache=service.catalog_cache)
        return success(booking_json(booking))


def _id_of(text: str) -> UUID:
    known = id_in(text)
    if known is None:
        raise BookingNotFound()
    return known
