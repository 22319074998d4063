"""The routes of tickets: the QR code of a confirmed booking; and for whoever stands at the door, whether one is good.

The code holds the ticket reference and nothing else. The reference is what lets somebody in: it is in no log.
"""

from io import BytesIO
from typing import Any, Final

import segno
from attrs import frozen
from flask import Response

from booking_api.auth.tokens import Identity
from booking_api.http.bodies import verify_ticket_in
from booking_api.http.errors import Forbidden
from booking_api.http.query import id_in
from booking_api.http.rendering import utc
from booking_api.http.request import ApiFlask, ApiRequest
from booking_api.http.responses import success
from booking_api.routes.bookings import BOOKINGS
from booking_api.service import Service
from booking_core import BookingNotFound, TicketCheck, TicketStatus, get_ticket, verify_ticket

TICKETS: Final = "/api/v1/tickets"
VERIFY: Final = "booking:verify"

# Read from paper that was folded and from scratched screens: a quarter of the code may be unreadable.
_CORRECTION: Final = "q"
_QUIET_ZONE: Final = 4  # modules of white all around, as ISO/IEC 18004 asks
_PIXELS_PER_MODULE: Final = 12
# The image is a document of its own when it is opened by itself: nothing may run in it, or be fetched for it.
_NOTHING_ELSE: Final = "default-src 'none'; sandbox"


def add_ticket_routes(app: ApiFlask, service: Service) -> None:
    """The ticket under its booking, and everything under /api/v1/tickets."""
    routes = TicketRoutes(service)
    app.add_guarded("GET", f"{BOOKINGS}/<booking_id>/ticket.svg", "ticket_svg", routes.svg)
    app.add_guarded("GET", f"{BOOKINGS}/<booking_id>/ticket.png", "ticket_png", routes.png)
    app.add_guarded("POST", f"{TICKETS}/verify", "verify_ticket", routes.verify)


@frozen
class TicketRoutes:
    """Each method answers one route. Refusals are raised; `errors` answers them."""

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
        """200 with what the ticket is worth now, also for a text that is no ticket of ours. For those with `VERIFY`.

        An Idempotency-Key has no effect here: nothing is changed, and an answer of before may no longer be true.
        """
        if VERIFY not in identity.permissions:
            raise Forbidden()
        body = verify_ticket_in(request)
        check = verify_ticket(body.fields.ticket_reference, store=self.service.store)
        request.booking_id = check.booking_id
        return success(check_json(check))

    def _reference(self, request: ApiRequest, identity: Identity, booking_id: str) -> str:
        request.booking_id = found = id_in(booking_id)
        if found is None:
            raise BookingNotFound()
        return get_ticket(identity.user_id, found, store=self.service.store)


def svg_of(reference: str) -> bytes:
    """The QR code as an SVG document that fits any size, dark on light whatever is around it, and says what it is."""
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
    # Without crisp edges, sizes that are no multiple of the modules show hairlines between the rows.
    return written.getvalue().replace(b"<svg ", b'<svg role="img" shape-rendering="crispEdges" ', 1)


def png_of(reference: str) -> bytes:
    """The QR code as a PNG image."""
    written = BytesIO()
    _code(reference).save(written, kind="png", border=_QUIET_ZONE, scale=_PIXELS_PER_MODULE)
    return written.getvalue()


def check_json(check: TicketCheck) -> dict[str, Any]:
    """A check as it is answered. Keys that do not apply are left out; who booked and what was paid is never there."""
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
    """The answer with an image. That nobody may keep it is said of every answer (`finishing`)."""
    answer = Response(body, content_type=kind)
    answer.headers["Content-Disposition"] = f'inline; filename="{name}"'
    answer.headers["Content-Security-Policy"] = _NOTHING_ELSE
    return answer
