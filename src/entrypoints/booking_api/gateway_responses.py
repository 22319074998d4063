"""Responses of the gateway to requests that never reach a route (ADR 0016)."""

from collections.abc import Collection, Mapping, Sequence
from time import monotonic
from typing import Final
from uuid import UUID

from attrs import frozen

from booking_api.auth.tokens import Identity, KeysUnavailable, TokenRefused
from booking_api.auth.verifier import TokenVerifier
from booking_api.http.access_log import AccessLog, ResponseRecord
from booking_api.http.bodies import Body, CreateBooking, check_content_type, failure_body, idempotency_key
from booking_api.http.cors import Cors
from booking_api.http.errors import STATUS
from booking_api.http.flask_app import COMMON_HEADERS, CORRELATION_HEADER, correlation_id
from booking_api.http.query import InvalidRequest
from booking_api.routes.bookings import BOOKINGS, RESERVING
from booking_core import IdempotencyKey, InvalidValue, Reserve, SeatAlreadyReserved, SeatStatus, ServiceBusy
from booking_core.ports import Store

GatewayResponse = tuple[int, list[tuple[str, str]], bytes]
"""Status, headers and body."""

_BUSY: Final = failure_body(ServiceBusy.code, ServiceBusy.message)
_STOPPING: Final = failure_body(ServiceBusy.code, "The service stops")
_LATE: Final = failure_body("VALIDATION_FAILED", "The body did not arrive in time")
_BROKEN: Final = failure_body("INTERNAL_ERROR", "Something went wrong; the correlation id leads to it")


@frozen
class GatewayRequest:
    """A request as it arrived, at `arrived` on `time.monotonic`. The names of `headers` are in lower case."""

    method: str
    headers: Mapping[str, str]
    arrived: float


@frozen
class Follower:
    """A reservation (by its route's own method and path) that waited for others; some of its seats are `taken`."""

    request: GatewayRequest
    body: Body[CreateBooking]
    taken: frozenset[UUID]


@frozen(kw_only=True)
class _Reservation:
    command: Reserve
    key: IdempotencyKey | None


class GatewayResponses:
    """The gateway's responses, equal to a route's and counted like them. Only a method that mentions it waits."""

    def __init__(self, cors: Cors, access_log: AccessLog, verifier: TokenVerifier, store: Store) -> None:
        self._cors, self._access_log, self._verifier, self._store = cors, access_log, verifier, store

    def busy(self, request: GatewayRequest, retry_after: int = ServiceBusy.retry_after) -> GatewayResponse:
        """SERVICE_BUSY, with `Retry-After` in seconds. Not logged: there may be thousands a second."""
        return self._response("busy", request, ServiceBusy.code, _BUSY, ("Retry-After", str(retry_after)))

    def stopping(self, request: GatewayRequest) -> GatewayResponse:
        """SERVICE_BUSY, for the readiness probe of a service that stops."""
        return self._response("stopping", request, ServiceBusy.code, _STOPPING)

    def late_body(self, request: GatewayRequest) -> GatewayResponse:
        """VALIDATION_FAILED: the body has not arrived. Closes the connection: the rest of the body is no request."""
        return self._response("late_body", request, "VALIDATION_FAILED", _LATE, ("Connection", "close"))

    def broken(self, request: GatewayRequest) -> GatewayResponse:
        """INTERNAL_ERROR: the application raised an exception instead of responding."""
        return self._response("broken", request, "INTERNAL_ERROR", _BROKEN)

    def taken(self, follower: Follower) -> GatewayResponse | None:
        """SEAT_ALREADY_RESERVED, logged as the route would.

        None if that needs a query (see `taken_after_queries`), because the token was not verified before or the
        request has an idempotency key; and if the request is invalid.
        """
        identity = self._verifier.cached_identity(follower.request.headers.get("authorization"))
        reservation = None if identity is None else _reservation(follower, identity)
        return None if reservation is None or reservation.key is not None else self._refused(follower, reservation)

    def seat_statuses(self, event_id: UUID, seat_ids: Collection[UUID]) -> Mapping[UUID, SeatStatus]:
        """The present statuses of these seats, as `Queries.seat_statuses`; waits for the store. Raises ServiceBusy."""
        return self._store.reads.seat_statuses(event_id, seat_ids)

    def taken_after_queries(self, followers: Sequence[Follower]) -> list[GatewayResponse | None]:
        """As `taken` for several; verifies their tokens, looks up their idempotency keys, and waits for both.

        None for those that the application must respond to: the token or the request is invalid, or a response is
        stored under the key, perhaps for this very request. SERVICE_BUSY for all if the lookup of keys takes too long.
        """
        reservations = [self._verified(each) for each in followers]
        keys = [each.key for each in reservations if each is not None and each.key is not None]
        try:
            stored = dict(zip(keys, self._store.reads.stored_responses(keys) if keys else (), strict=True))
        except ServiceBusy:
            return [self.busy(each.request) for each in followers]
        return [
            None
            if reservation is None or (reservation.key is not None and stored[reservation.key])
            else self._refused(follower, reservation)
            for follower, reservation in zip(followers, reservations, strict=True)
        ]

    def _verified(self, follower: Follower) -> _Reservation | None:
        try:
            identity = self._verifier.verify(follower.request.headers.get("authorization"))
        except (TokenRefused, KeysUnavailable):
            return None
        return _reservation(follower, identity)

    def _refused(self, follower: Follower, reservation: _Reservation) -> GatewayResponse:
        command = reservation.command
        refusal = SeatAlreadyReserved.of(follower.taken.intersection(command.seat_ids))
        body = failure_body(refusal.code, str(refusal), refusal.details)
        return self._response("taken", follower.request, refusal.code, body, route=BOOKINGS, user_id=command.user_id)

    def _response(
        self,
        kind: str,
        request: GatewayRequest,
        code: str,
        body: bytes,
        *more: tuple[str, str],
        route: str = "",
        user_id: str | None = None,
    ) -> GatewayResponse:
        status, headers = STATUS[code], request.headers
        record = ResponseRecord(
            method=request.method,
            route=route,
            status=status,
            seconds=monotonic() - request.arrived,
            correlation_id=correlation_id(headers.get("x-correlation-id")),
            code=code,
            user_id=user_id,
            outcome=code if route else "",
            gateway_response=kind,
        )
        (self._access_log.record if route else self._access_log.count)(record)
        response_headers = [
            ("Content-Type", "application/json"),
            ("Content-Length", str(len(body))),
            (CORRELATION_HEADER, record.correlation_id),
            *COMMON_HEADERS,
            *self._cors.headers_for(headers.get("origin")),
            *more,
        ]
        return status, response_headers, body


def _reservation(follower: Follower, identity: Identity) -> _Reservation | None:
    """The reservation as its route would decode it; None if the request is invalid."""
    headers, body = follower.request.headers, follower.body
    try:
        check_content_type(headers.get("content-type"))
        command = Reserve(
            user_id=identity.user_id,
            event_id=body.fields.event_id,
            seat_ids=body.fields.seat_ids,
            correlation_id="-",
        )
        key = idempotency_key(headers.get("idempotency-key"), identity.user_id, RESERVING, body)
    except (InvalidRequest, InvalidValue):
        return None
    return _Reservation(command=command, key=key)
