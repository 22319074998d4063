"""Answers to requests that never reach a route: a server in front of the application gives them (ADR 0016)."""

from collections.abc import Collection, Mapping, Sequence
from time import perf_counter
from typing import Final
from uuid import UUID

from attrs import frozen

from booking_api.auth.keys import KeysUnavailable
from booking_api.auth.verifier import Identity, TokenRefused, TokenVerifier
from booking_api.finishing import SAME_FOR_ALL
from booking_api.http.access_log import AccessLog, ResponseRecord
from booking_api.http.bodies import create_booking_from
from booking_api.http.correlation import HEADER, correlation_in
from booking_api.http.cors import Cors
from booking_api.http.envelope import failed
from booking_api.http.errors import STATUS
from booking_api.http.idempotency import idempotency_key_from
from booking_api.http.query import InvalidRequest
from booking_api.routes.bookings import BOOKINGS, RESERVING
from booking_core import IdempotencyKey, InvalidValue, Reserve, SeatAlreadyReserved, SeatStatus, ServiceBusy
from booking_core.ports import Store

GatewayResponse = tuple[int, list[tuple[str, str]], bytes]

_BUSY: Final = failed(ServiceBusy.code, ServiceBusy.message)
_LATE: Final = failed("VALIDATION_FAILED", "The body did not arrive in time")
_BROKEN: Final = failed("INTERNAL_ERROR", "Something went wrong; the correlation id leads to it")


@frozen
class GatewayRequest:
    """A request as it arrived, at `arrived` on `time.perf_counter`. The names of `headers` are in lower case."""

    method: str
    headers: Mapping[str, str]
    arrived: float


@frozen
class Told:
    """A reservation (its route's own method and path) some of whose seats are `taken`."""

    request: GatewayRequest
    body: bytes
    taken: frozenset[UUID]


@frozen(kw_only=True)
class _Wanted:
    command: Reserve
    key: IdempotencyKey | None


class GatewayResponses:
    """Status, headers and body of each, as a route would give them, and counted like any other.

    None of them waits, unless it says so.
    """

    def __init__(self, cors: Cors, accounting: AccessLog, verifier: TokenVerifier, store: Store) -> None:
        self._cors, self._accounting, self._verifier, self._store = cors, accounting, verifier, store

    def busy(self, request: GatewayRequest) -> GatewayResponse:
        """SERVICE_BUSY, with `Retry-After`. Not logged: there may be very many."""
        return self._answer("busy", request, ServiceBusy.code, _BUSY, ("Retry-After", str(ServiceBusy.retry_after)))

    def late_body(self, request: GatewayRequest) -> GatewayResponse:
        """VALIDATION_FAILED: the body has not arrived. What comes of it later must not be taken for a request."""
        return self._answer("late_body", request, "VALIDATION_FAILED", _LATE, ("Connection", "close"))

    def broken(self, request: GatewayRequest) -> GatewayResponse:
        """INTERNAL_ERROR: the application itself gave no answer."""
        return self._answer("broken", request, "INTERNAL_ERROR", _BROKEN)

    def taken(self, request: GatewayRequest, body: bytes, taken: Collection[UUID]) -> GatewayResponse | None:
        """SEAT_ALREADY_RESERVED for a reservation (its route's own method and path), some of whose seats are `taken`.

        None if that takes a look (`taken_after_a_look`): the token was not verified before, it is not sure that the
        request is well-formed, or it has an idempotency key. Logged as the route would.
        """
        identity = self._verifier.remembered(request.headers.get("authorization"))
        wanted = None if identity is None else _wanted(request, body, identity)
        return None if wanted is None or wanted.key is not None else self._refused(request, wanted, taken)

    def seat_statuses(self, event_id: UUID, seat_ids: Collection[UUID]) -> Mapping[UUID, SeatStatus]:
        """How it is with these seats now (see `Queries.seat_statuses`); waits for that. Raises ServiceBusy."""
        return self._store.queries.seat_statuses(event_id, seat_ids)

    def taken_after_a_look(self, told: Sequence[Told]) -> list[GatewayResponse | None]:
        """As `taken` for several, whose tokens are verified and whose idempotency keys are looked up; waits for both.

        None for those whom the application should be asked for: the token or the request is not right, or an answer is
        kept under the key, and may be to this very request. SERVICE_BUSY for all if keys cannot be looked up in time.
        """
        wanted = [self._wanted_by_anybody(each) for each in told]
        keys = [each.key for each in wanted if each is not None and each.key is not None]
        try:
            kept = dict(zip(keys, self._store.queries.stored_responses(keys) if keys else (), strict=True))
        except ServiceBusy:
            return [self.busy(each.request) for each in told]
        return [
            None
            if each is None or (each.key is not None and kept[each.key])
            else self._refused(asked.request, each, asked.taken)
            for asked, each in zip(told, wanted, strict=True)
        ]

    def _wanted_by_anybody(self, told: Told) -> _Wanted | None:
        try:
            identity = self._verifier.verify(told.request.headers.get("authorization"))
        except (TokenRefused, KeysUnavailable):
            return None
        return _wanted(told.request, told.body, identity)

    def _refused(self, request: GatewayRequest, wanted: _Wanted, taken: Collection[UUID]) -> GatewayResponse:
        refusal = SeatAlreadyReserved.of(set(taken).intersection(wanted.command.seat_ids))
        said = failed(refusal.code, str(refusal), refusal.details)
        return self._answer("taken", request, refusal.code, said, route=BOOKINGS, user_id=wanted.command.user_id)

    def _answer(
        self,
        early: str,
        request: GatewayRequest,
        code: str,
        body: bytes,
        *more: tuple[str, str],
        route: str = "",
        user_id: str | None = None,
    ) -> GatewayResponse:
        status, headers = STATUS[code], request.headers
        answered = ResponseRecord(
            method=request.method,
            route=route,
            status=status,
            seconds=perf_counter() - request.arrived,
            correlation_id=correlation_in(headers.get("x-correlation-id")),
            code=code,
            user_id=user_id,
            outcome=code if route else "",
            early=early,
        )
        (self._accounting.note if route else self._accounting.count)(answered)
        said = [
            ("Content-Type", "application/json"),
            ("Content-Length", str(len(body))),
            (HEADER, answered.correlation_id),
            *SAME_FOR_ALL,
            *self._cors.headers_for(headers.get("origin")),
            *more,
        ]
        return status, said, body


def _wanted(request: GatewayRequest, body: bytes, identity: Identity) -> _Wanted | None:
    headers = request.headers
    try:
        read = create_booking_from(headers.get("content-type"), body)
        command = Reserve(
            user_id=identity.user_id,
            event_id=read.fields.event_id,
            seat_ids=read.fields.seat_ids,
            correlation_id="-",
        )
        key = headers.get("idempotency-key")
        return _Wanted(
            command=command,
            key=None if key is None else idempotency_key_from(key, identity.user_id, RESERVING, read.document),
        )
    except (InvalidRequest, InvalidValue):
        return None
