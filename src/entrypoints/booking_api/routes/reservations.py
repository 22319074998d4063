"""The route that reserves seats (spec 7.1), and its steps without Flask, which the gateway runs as well (ADR 0030)."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Final, Self
from uuid import UUID

from attrs import define, field, frozen
from flask import Response

from booking_api.auth.tokens import Identity
from booking_api.http.bodies import (
    Body,
    CreateBooking,
    booking_json,
    check_content_type,
    create_booking_body,
    idempotency_key,
    success_body,
)
from booking_api.http.errors import ErrorResponse
from booking_api.http.flask_app import (
    FOUND_TAKEN,
    KNOWN_TAKEN,
    REPLAYED_HEADER,
    SEATS_BUSY,
    ApiFlask,
    ApiRequest,
    Header,
    json_response,
    with_headers,
)
from booking_api.http.metrics import RESERVE_ENDPOINT
from booking_api.http.query import InvalidRequest
from booking_api.routes.bookings import BOOKINGS
from booking_api.service import Service
from booking_core import (
    Booking,
    IdempotentCall,
    InvalidValue,
    ReplayedResponse,
    Reserve,
    SeatAlreadyReserved,
    ServiceBusy,
    reserve,
    reserve_once,
)

RESERVING: Final = f"POST {BOOKINGS}"
"""The operation that idempotency keys of reservations belong to."""

_CREATED: Final = 201


@frozen(kw_only=True)
class ReservationResponse:
    """The response to a reservation, without the headers that every response has.

    `outcome` is its name in the metrics. `code`, `reason` and `unexpected` are those of an `ErrorResponse`.
    """

    status: int
    body: bytes
    outcome: str
    headers: tuple[Header, ...] = ()
    booking_id: UUID | None = None
    code: str = ""
    reason: str = ""
    unexpected: Exception | None = None


@define(eq=False)
class Rendering:
    """Renders the response that the store keeps under a key. The customer receives the same bytes."""

    _last: tuple[Booking, bytes] | None = field(default=None, init=False)

    def text(self, booking: Booking) -> str:
        """The response, for the store; an attempt that is repeated makes another booking."""
        body = success_body(booking_json(booking))
        self._last = booking, body
        return body.decode()

    def body(self, booking: Booking) -> bytes:
        """The response, for the customer."""
        if self._last is not None and self._last[0] is booking:
            return self._last[1]
        return success_body(booking_json(booking))


@frozen
class ReservationCall:
    """A request for a reservation: its command, and its idempotent call if it has an idempotency key."""

    command: Reserve
    once: IdempotentCall | None
    rendering: Rendering

    @classmethod
    def of(cls, body: Body[CreateBooking], *, user_id: str, correlation_id: str, key_header: str | None) -> Self:
        """Read the request; `key_header` is its `Idempotency-Key`. Raises InvalidRequest."""
        try:
            command = Reserve(
                user_id=user_id,
                event_id=body.fields.event_id,
                seat_ids=body.fields.seat_ids,
                correlation_id=correlation_id,
            )
        except InvalidValue as error:
            raise InvalidRequest.of(error) from None
        key, rendering = idempotency_key(key_header, user_id, RESERVING, body), Rendering()
        once = None if key is None else IdempotentCall(key=key, render=rendering.text)
        return cls(command, once, rendering)

    @classmethod
    def at_gateway(
        cls, headers: Mapping[str, str], body: Body[CreateBooking], *, user_id: str, correlation_id: str
    ) -> Self | None:
        """Read a request that Flask has not seen; None if it is invalid. The names of headers are in lower case."""
        try:
            check_content_type(headers.get("content-type"))
            key_header = headers.get("idempotency-key")
            return cls.of(body, user_id=user_id, correlation_id=correlation_id, key_header=key_header)
        except InvalidRequest:
            return None

    def response(self, outcome: Booking | ReplayedResponse | Exception) -> ReservationResponse:
        """The response to what `reserve` or `reserve_once` has returned or raised."""
        if isinstance(outcome, Booking):
            return ReservationResponse(
                status=_CREATED, body=self.rendering.body(outcome), outcome="CREATED", booking_id=outcome.booking_id
            )
        if isinstance(outcome, ReplayedResponse):
            replayed = ((REPLAYED_HEADER, "true"),)
            return ReservationResponse(
                status=_CREATED, body=outcome.text.encode(), outcome="REPLAYED", headers=replayed
            )
        error = ErrorResponse.to(outcome)
        return ReservationResponse(
            status=error.status,
            body=error.body,
            outcome=error.code,
            headers=error.headers,
            code=error.code,
            reason=error.reason,
            unexpected=error.unexpected,
        )


def add_reservation_route(app: ApiFlask, service: Service) -> None:
    """Add `POST /api/v1/bookings`."""
    app.add_guarded("POST", BOOKINGS, RESERVE_ENDPOINT, ReservationRoute(service).create)


@frozen
class ReservationRoute:
    """The route. A refusal is raised; `http.errors` turns it into a response."""

    service: Service

    def create(self, request: ApiRequest, identity: Identity) -> Response:
        """201 with the new booking (spec 7.1)."""
        call = ReservationCall.of(
            request.decoded(create_booking_body),
            user_id=identity.user_id,
            correlation_id=request.correlation_id,
            key_header=request.environ.get("HTTP_IDEMPOTENCY_KEY"),
        )
        response = call.response(self._reserve(request, call))
        request.booking_id, request.outcome = response.booking_id, response.outcome
        return with_headers(json_response(response.body, response.status), response.headers)

    def _reserve(self, request: ApiRequest, call: ReservationCall) -> Booking | ReplayedResponse:
        """Reserve; reject without a query if the gateway already knows that a seat is taken.

        A request with a key may have been answered before, so it is not rejected.
        """
        command, once, service = call.command, call.once, self.service
        if once is None and (taken := request.environ.get(KNOWN_TAKEN, frozenset()).intersection(command.seat_ids)):
            raise SeatAlreadyReserved.of(taken)
        store, catalog_cache, terms = service.store, service.catalog_cache, service.terms
        outcome: Booking | ReplayedResponse
        with _followers_notified(request):
            if once is None:
                outcome = reserve(command, store=store, catalog_cache=catalog_cache, terms=terms)
            else:
                outcome = reserve_once(command, once=once, store=store, catalog_cache=catalog_cache, terms=terms)
        request.environ[FOUND_TAKEN] = seats_found_taken(outcome)
        return outcome


@contextmanager
def _followers_notified(request: ApiRequest) -> Iterator[None]:
    """Record why a reservation was refused, for the gateway's followers: requests that wait for the same seats."""
    try:
        yield
    except ServiceBusy:
        request.environ[SEATS_BUSY] = True
        raise
    except SeatAlreadyReserved as refusal:
        request.environ[FOUND_TAKEN] = seats_found_taken(refusal)
        raise


def seats_found_taken(outcome: object) -> frozenset[UUID]:
    """The wanted seats with a live, committed claim, as the outcome of a reservation shows; those just reserved too."""
    if isinstance(outcome, Booking):
        return frozenset(outcome.seat_ids)
    if isinstance(outcome, SeatAlreadyReserved):
        return frozenset(map(UUID, outcome.details.get("unavailableSeatIds", ())))
    return frozenset()
