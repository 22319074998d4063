"""The gateway's own door to the route of reservations: the same steps, without Flask's dispatch (ADR 0030)."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from time import monotonic
from typing import TYPE_CHECKING, Any, Final

from attrs import define

from booking_api.auth.verifier import TokenVerifier
from booking_api.gateway_responses import GatewayRequest, GatewayResponse
from booking_api.http.access_log import AccessLog, ResponseRecord
from booking_api.http.bodies import Body, CreateBooking
from booking_api.http.cors import Cors
from booking_api.http.errors import log_unexpected
from booking_api.http.flask_app import common_headers, json_headers
from booking_api.http.request_spans import BEGUN_SPAN, RequestSpan, group_span, tracer_of
from booking_api.routes.bookings import BOOKINGS
from booking_api.routes.reservations import ReservationCall, ReservationResponse
from booking_core import Booking, ReplayedResponse, ReservationRequest

if TYPE_CHECKING:
    from opentelemetry.trace import TracerProvider

_NOTHING: Final[AbstractContextManager[None]] = nullcontext()


@define(eq=False)
class GatewayReservation:
    """A request for a reservation that the gateway has read; `reservation` is what `reserve_group` takes.

    It ends with `GatewayReservations.response` or `deferred`.
    """

    request: GatewayRequest
    reservation: ReservationRequest
    call: ReservationCall
    span: RequestSpan | None


class GatewayReservations:
    """The gateway's reservations. Nothing here waits, so all of it may run on an event loop."""

    def __init__(
        self, cors: Cors, access_log: AccessLog, verifier: TokenVerifier, provider: "TracerProvider | None"
    ) -> None:
        self._cors, self._access_log, self._verifier = cors, access_log, verifier
        self._tracer = tracer_of(provider) if provider is not None else None

    def understood(self, request: GatewayRequest, body: Body[CreateBooking]) -> GatewayReservation | None:
        """The reservation of a request by the route's own method and path.

        None if the application has to respond: the request is invalid, its token is refused, or the key of its token is
        not in memory. A token that was not seen before is verified, which takes some 50 µs.
        """
        headers = request.headers
        identity = self._verifier.verify_at_once(headers.get("authorization"))
        if identity is None:
            return None
        call = ReservationCall.at_gateway(
            headers, body, user_id=identity.user_id, correlation_id=request.correlation_id()
        )
        if call is None:
            return None
        if self._tracer is None:
            return GatewayReservation(request, ReservationRequest(command=call.command, once=call.once), call, None)
        span = RequestSpan.begin(self._tracer, request.method, headers, request.arrived)
        reservation = ReservationRequest(command=call.command, once=call.once, traceparent=span.traceparent)
        return GatewayReservation(request, reservation, call, span)

    def response(
        self, reservation: GatewayReservation, outcome: Booking | ReplayedResponse | Exception, *, started: float
    ) -> GatewayResponse:
        """The response to what became of the reservation, equal to the route's, logged and counted like it.

        `started` is the moment on `time.monotonic` until which the request waited in a queue.
        """
        request, span = reservation.request, reservation.span
        try:
            answer = reservation.call.response(outcome)
        except Exception as error:  # a bug in the rendering is answered as the application would answer it
            answer = reservation.call.response(error)
        record = _record(reservation, answer, started)
        with span.logged() if span is not None else _NOTHING:
            if answer.unexpected is not None:
                log_unexpected(answer.unexpected, correlation_id=record.correlation_id, route=BOOKINGS)
            self._access_log.record(record)
        if span is not None:
            _end(span, record)
        common = common_headers(record.correlation_id, self._cors, request.headers.get("origin"))
        return answer.status, json_headers(answer.body, answer.headers, common), answer.body

    def deferred(self, reservation: GatewayReservation) -> Mapping[str, Any]:
        """Leave the response to the application: returns entries of the WSGI environ with which it ends the span."""
        return {} if reservation.span is None else {BEGUN_SPAN: reservation.span}

    def group_span(self, reservations: Sequence[GatewayReservation]) -> AbstractContextManager[None]:
        """A span for one transaction of these reservations, linked to theirs; nothing without a tracer provider."""
        if self._tracer is None:
            return _NOTHING
        return group_span(self._tracer, [each.span for each in reservations if each.span is not None])


def _record(reservation: GatewayReservation, answer: ReservationResponse, started: float) -> ResponseRecord:
    request, command = reservation.request, reservation.call.command
    return ResponseRecord(
        method=request.method,
        route=BOOKINGS,
        status=answer.status,
        seconds=monotonic() - request.arrived,
        waited=started - request.arrived,
        correlation_id=command.correlation_id,
        code=answer.code,
        reason=answer.reason,
        user_id=command.user_id,
        booking_id=answer.booking_id,
        outcome=answer.outcome,
    )


def _end(span: RequestSpan, record: ResponseRecord) -> None:
    if span.span.is_recording():
        span.describe(
            record.status,
            route=record.route,
            correlation_id=record.correlation_id,
            booking_id=record.booking_id,
            code=record.code,
        )
    span.span.end()
