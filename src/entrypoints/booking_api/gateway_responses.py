"""Responses of the gateway to requests that never reach a route (ADR 0016)."""

from collections.abc import Collection, Mapping, Sequence
from time import monotonic
from typing import Final
from uuid import UUID

from attrs import frozen

from booking_api.auth.tokens import Identity, KeysUnavailable, TokenRefused
from booking_api.auth.verifier import TokenVerifier
from booking_api.http.access_log import AccessLog, ResponseRecord
from booking_api.http.bodies import Body, CreateBooking, failure_body
from booking_api.http.cors import Cors
from booking_api.http.errors import STATUS, ErrorResponse
from booking_api.http.flask_app import RETRY_AFTER, common_headers, correlation_id, json_headers
from booking_api.routes.bookings import BOOKINGS
from booking_api.routes.reservations import ReservationCall
from booking_core import SeatAlreadyReserved, SeatStatus, ServiceBusy
from booking_core.ports import Store

GatewayResponse = tuple[int, list[tuple[str, str]], bytes]
"""Status, headers and body."""

_BUSY: Final = ErrorResponse.to(ServiceBusy()).body
_STOPPING: Final = failure_body(ServiceBusy.code, "The service stops")
_LATE: Final = failure_body("VALIDATION_FAILED", "The body did not arrive in time")
_BAD_HOST: Final = failure_body("VALIDATION_FAILED", "The request must have one valid Host header")
_BROKEN: Final = ErrorResponse.to(Exception()).body


@frozen
class GatewayRequest:
    """A request as it arrived, at `arrived` on `time.monotonic`. The names of `headers` are in lower case."""

    method: str
    headers: Mapping[str, str]
    arrived: float

    def correlation_id(self) -> str:
        """The caller's correlation id; without one another id at each call."""
        return correlation_id(self.headers.get("x-correlation-id"))


@frozen
class Follower:
    """A reservation (by its route's own method and path) that waited for others; some of its seats are `taken`."""

    request: GatewayRequest
    body: Body[CreateBooking]
    taken: frozenset[UUID]

    def call(self, identity: Identity) -> ReservationCall | None:
        """The reservation as its route would read it; None if the request is invalid."""
        request = self.request
        return ReservationCall.at_gateway(
            request.headers, self.body, user_id=identity.user_id, correlation_id=request.correlation_id()
        )


class GatewayResponses:
    """The gateway's responses, equal to a route's and counted like them. Only a method that mentions it waits."""

    def __init__(self, cors: Cors, access_log: AccessLog, verifier: TokenVerifier, store: Store) -> None:
        self._cors, self._access_log, self._verifier, self._store = cors, access_log, verifier, store

    def busy(self, request: GatewayRequest, retry_after: int = ServiceBusy.retry_after) -> GatewayResponse:
        """SERVICE_BUSY, with `Retry-After` in seconds. Not logged: there may be thousands a second."""
        return self._response("busy", request, ServiceBusy.code, _BUSY, (RETRY_AFTER, str(retry_after)))

    def stopping(self, request: GatewayRequest) -> GatewayResponse:
        """SERVICE_BUSY, for the readiness probe of a service that stops."""
        return self._response("stopping", request, ServiceBusy.code, _STOPPING)

    def late_body(self, request: GatewayRequest) -> GatewayResponse:
        """VALIDATION_FAILED: the body has not arrived. Closes the connection: the rest of the body is no request."""
        return self._response("late_body", request, "VALIDATION_FAILED", _LATE, ("Connection", "close"))

    def bad_host(self, request: GatewayRequest) -> GatewayResponse:
        """VALIDATION_FAILED: the Host header is missing, repeated or invalid. Closes the connection."""
        return self._response("bad_host", request, "VALIDATION_FAILED", _BAD_HOST, ("Connection", "close"))

    def broken(self, request: GatewayRequest) -> GatewayResponse:
        """INTERNAL_ERROR: the application raised an exception instead of responding."""
        return self._response("broken", request, "INTERNAL_ERROR", _BROKEN)

    def taken(self, follower: Follower) -> GatewayResponse | None:
        """SEAT_ALREADY_RESERVED, logged as the route would.

        None if that needs a query (see `taken_after_queries`), because the token was not verified before or the
        request has an idempotency key; and if the request is invalid.
        """
        identity = self._verifier.cached_identity(follower.request.headers.get("authorization"))
        call = None if identity is None else follower.call(identity)
        return None if call is None or call.once is not None else self._refused(follower, call)

    def seat_statuses(self, event_id: UUID, seat_ids: Collection[UUID]) -> Mapping[UUID, SeatStatus]:
        """The present statuses of these seats, as `Queries.seat_statuses`; waits for the store. Raises ServiceBusy."""
        return self._store.reads.seat_statuses(event_id, seat_ids)

    def taken_after_queries(self, followers: Sequence[Follower]) -> list[GatewayResponse | None]:
        """As `taken` for several; verifies their tokens, looks up their idempotency keys, and waits for both.

        None for those that the application must respond to: the token or the request is invalid, or a response is
        stored under the key, perhaps for this very request. SERVICE_BUSY for all if the lookup of keys takes too long.
        """
        calls = [self._verified(each) for each in followers]
        keys = [each.once.key for each in calls if each is not None and each.once is not None]
        try:
            stored = dict(zip(keys, self._store.reads.stored_responses(keys) if keys else (), strict=True))
        except ServiceBusy:
            return [self.busy(each.request) for each in followers]
        return [
            None if call is None or (call.once is not None and stored[call.once.key]) else self._refused(follower, call)
            for follower, call in zip(followers, calls, strict=True)
        ]

    def _verified(self, follower: Follower) -> ReservationCall | None:
        try:
            identity = self._verifier.verify(follower.request.headers.get("authorization"))
        except (TokenRefused, KeysUnavailable):
            return None
        return follower.call(identity)

    def _refused(self, follower: Follower, call: ReservationCall) -> GatewayResponse:
        command = call.command
        answer = call.response(SeatAlreadyReserved.of(follower.taken.intersection(command.seat_ids)))
        return self._response(
            "taken",
            follower.request,
            answer.code,
            answer.body,
            *answer.headers,
            route=BOOKINGS,
            user_id=command.user_id,
            correlation=command.correlation_id,
        )

    def _response(
        self,
        kind: str,
        request: GatewayRequest,
        code: str,
        body: bytes,
        *more: tuple[str, str],
        route: str = "",
        user_id: str | None = None,
        correlation: str | None = None,
    ) -> GatewayResponse:
        status, headers = STATUS[code], request.headers
        record = ResponseRecord(
            method=request.method,
            route=route,
            status=status,
            seconds=monotonic() - request.arrived,
            correlation_id=correlation or request.correlation_id(),
            code=code,
            user_id=user_id,
            outcome=code if route else "",
            gateway_response=kind,
        )
        (self._access_log.record if route else self._access_log.count)(record)
        common = common_headers(record.correlation_id, self._cors, headers.get("origin"))
        return status, json_headers(body, more, common), body
