"""The routes of tickets: the QR code of a confirmed booking, and the verification of a ticket at the door.

The code contains the ticket reference and nothing else. The reference permits its bearer to enter: it is in no log.
"""

from io import BytesIO
from typing import Any, Final

import segno
from attrs import frozen
from flask import Response

from booking_api.auth.tokens import Identity
from booking_api.http.bodies import utc, verify_ticket_body
from booking_api.http.errors import Forbidden
from booking_api.http.flask_app import ApiFlask, ApiRequest, success
from booking_api.http.query import id_in
from booking_api.routes.bookings import BOOKINGS
from booking_api.service import Service
from booking_core import BookingNotFound, TicketCheck, TicketStatus, get_ticket, verify_ticket

TICKETS: Final = "/api/v1/tickets"
VERIFY: Final = "booking:verify"

# A quarter of the code may be unreadable, on folded paper or a scratched screen.
_CORRECTION: Final = "q"
_QUIET_ZONE: Final = 4  # white modules on each side, as ISO/IEC 18004 requires
_PIXELS_PER_MODULE: Final = 12  # an image of about 400 pixels
# A browser may open the image as a document: it may run and fetch nothing.
_IMAGE_POLICY: Final = "default-src 'none'; sandbox"


def add_ticket_routes(app: ApiFlask, service: Service) -> None:
    """Add the ticket of a booking, and everything under /api/v1/tickets."""
    routes = TicketRoutes(service)
    app.add_guarded("GET", f"{BOOKINGS}/<booking_id>/ticket.svg", "ticket_svg", routes.svg)
    app.add_guarded("GET", f"{BOOKINGS}/<booking_id>/ticket.png", "ticket_png", routes.png)
    app.add_guarded("POST", f"{TICKETS}/verify", "verify_ticket", routes.verify)


@frozen
class TicketRoutes:
    """One method a route. A refusal is raised; `http.errors` turns it into a response."""

    service: Service

    def svg(self, request: ApiRequest, identity: Identity, booking_id: str) -> Response:
        """200 with the QR code as SVG, if the booking is the caller's and confirmed; it fits any size."""
        reference = self._reference(request, identity, booking_id)
        return _image(svg_of(reference), "image/svg+xml", f"ticket-{request.booking_id}.svg")

    def png(self, request: ApiRequest, identity: Identity, booking_id: str) -> Response:
        """200 with the QR code as PNG, about 400 pixels wide, if the booking is the caller's and confirmed."""
        reference = self._reference(request, identity, booking_id)
        return _image(png_of(reference), "image/png", f"ticket-{request.booking_id}.png")

    def verify(self, request: ApiRequest, identity: Identity) -> Response:
        """200 with the present status of the ticket, also for an unknown text. Requires the permission `VERIFY`.

        An Idempotency-Key has no effect: nothing is changed, and an earlier response may no longer be true.
        """
        if VERIFY not in identity.permissions:
            raise Forbidden()
        body = request.decoded(verify_ticket_body)
        check = verify_ticket(body.fields.ticket_reference, store=self.service.store)
        request.booking_id = check.booking_id
        return success(check_json(check))

    def _reference(self, request: ApiRequest, identity: Identity, booking_id: str) -> str:
        request.booking_id = known = id_in(booking_id)
        if known is None:
            raise BookingNotFound()
        return get_ticket(identity.user_id, known, store=self.service.store)


def svg_of(reference: str) -> bytes:
    """The QR code as an SVG document that scales to any size, dark on light on any background, with a title."""
    written = BytesIO()
    _code(reference).save(
        written,
        kind="svg",
        border=_QUIET_ZONE,
        light="#fff",
        omitsize=True,
        xmldecl=False,
        svgclass=None,
        lineclass=None,
        title="QR code of the ticket",
        desc=f"Ticket reference {reference}",
    )
    # Without crisp edges, sizes that are not a multiple of the modules show hairlines between the rows.
    return written.getvalue().replace(b"<svg ", b'<svg role="img" shape-rendering="crispEdges" ', 1)


def png_of(reference: str) -> bytes:
    """The QR code as a PNG image."""
    written = BytesIO()
    _code(reference).save(written, kind="png", border=_QUIET_ZONE, scale=_PIXELS_PER_MODULE)
    return written.getvalue()


def check_json(check: TicketCheck) -> dict[str, Any]:
    """The JSON of a check, without keys that do not apply; customer and payment are not shown."""
    written: dict[str, Any] = {"status": check.status.value}
    if check.status is TicketStatus.UNKNOWN:
        return written
    written |= {"ticketReference": check.reference, "bookingId": check.booking_id, "eventId": check.event_id}
    if check.event is not None:
        written |= {"eventName": check.event.event.name, "startsAt": utc(check.event.event.starts_at)}
    if check.confirmed_at is not None:
        written["confirmedAt"] = utc(check.confirmed_at)
    if check.status is TicketStatus.VALID:
        written["seats"] = [{"seatId": seat.seat_id, "row": seat.row, "number": seat.number} for seat in check.seats]
    if check.reason is not None:
        written["cancellationReason"] = check.reason.value
    if check.cancelled_at is not None:
        written["cancelledAt"] = utc(check.cancelled_at)
    return written


def _code(reference: str) -> segno.QRCode:
    return segno.make_qr(reference, error=_CORRECTION)


def _image(body: bytes, kind: str, name: str) -> Response:
    """The response with an image, which clients may not cache, like other responses."""
    response = Response(body, content_type=kind)
    response.headers["Content-Disposition"] = f'inline; filename="{name}"'
    response.headers["Content-Security-Policy"] = _IMAGE_POLICY
    return response
