"""Answers to requests that never reach a route: a server in front of the application gives them (ADR 0016)."""

from collections.abc import Collection, Mapping
from time import perf_counter
from typing import Final
from uuid import UUID

from attrs import frozen

from booking_api.accounting import Accounting, Answered
from booking_api.bodies import create_booking_from
from booking_api.bookings import BOOKINGS
from booking_api.correlation import HEADER, correlation_in
from booking_api.cors import Cors
from booking_api.envelope import failed
from booking_api.errors import STATUS
from booking_api.finishing import SAME_FOR_ALL
from booking_api.invalid import InvalidRequest
from booking_api.tokens import TokenVerifier
from booking_core import InvalidValue, Reserve, SeatAlreadyReserved, ServiceBusy

EarlyAnswer = tuple[int, list[tuple[str, str]], bytes]

_BUSY: Final = failed(ServiceBusy.code, ServiceBusy.message)
_LATE: Final = failed("VALIDATION_FAILED", "The body did not arrive in time")
_BROKEN: Final = failed("INTERNAL_ERROR", "Something went wrong; the correlation id leads to it")


@frozen
class EarlyRequest:
    """A request as it arrived, at `arrived` on `time.perf_counter`. The names of `headers` are in lower case."""

    method: str
    headers: Mapping[str, str]
    arrived: float


class EarlyAnswers:
    """Status, headers and body of each, as a route would give them, and counted like any other. None of them waits."""

    def __init__(self, cors: Cors, accounting: Accounting, verifier: TokenVerifier) -> None:
        self._cors, self._accounting, self._verifier = cors, accounting, verifier

    def busy(self, request: EarlyRequest) -> EarlyAnswer:
        """SERVICE_BUSY, with `Retry-After`. Not logged: there may be very many."""
        return self._answer(request, ServiceBusy.code, _BUSY, ("Retry-After", str(ServiceBusy.retry_after)))

    def late_body(self, request: EarlyRequest) -> EarlyAnswer:
        """VALIDATION_FAILED: the body has not arrived. What comes of it later must not be taken for a request."""
        return self._answer(request, "VALIDATION_FAILED", _LATE, ("Connection", "close"))

    def broken(self, request: EarlyRequest) -> EarlyAnswer:
        """INTERNAL_ERROR: the application itself gave no answer."""
        return self._answer(request, "INTERNAL_ERROR", _BROKEN)

    def taken(self, request: EarlyRequest, body: bytes, taken: Collection[UUID]) -> EarlyAnswer | None:
        """SEAT_ALREADY_RESERVED for a reservation (its route's own method and path), some of whose seats are `taken`.

        None if the application should be asked after all: the token was not verified before, or it is not sure that
        the request is well-formed. Logged as the route would.
        """
        identity = self._verifier.remembered(request.headers.get("authorization"))
        if identity is None:
            return None
        try:
            fields = create_booking_from(request.headers.get("content-type"), body).fields
            wanted = Reserve(
                user_id=identity.user_id, event_id=fields.event_id, seat_ids=fields.seat_ids, correlation_id="-"
            )
        except (InvalidRequest, InvalidValue):
            return None
        refusal = SeatAlreadyReserved.of(set(taken).intersection(wanted.seat_ids))
        said = failed(refusal.code, str(refusal), refusal.details)
        return self._answer(request, refusal.code, said, route=BOOKINGS, user_id=identity.user_id)

    def _answer(
        self,
        request: EarlyRequest,
        code: str,
        body: bytes,
        *more: tuple[str, str],
        route: str = "",
        user_id: str | None = None,
    ) -> EarlyAnswer:
        status, headers = STATUS[code], request.headers
        answered = Answered(
            method=request.method,
            route=route,
            status=status,
            seconds=perf_counter() - request.arrived,
            correlation_id=correlation_in(headers.get("x-correlation-id")),
            code=code,
            user_id=user_id,
            outcome=code if route else "",
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
