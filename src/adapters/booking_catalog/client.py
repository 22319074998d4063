"""RestCatalog, the catalog adapter: entry point `rest` of the group `booking.catalog`."""

import time
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Final
from uuid import UUID

import httpx2
import structlog

from booking_catalog.circuit_breaker import AttemptFailed, CircuitBreaker, CircuitOpen
from booking_catalog.http_client import BodyLimit, CatalogHttpClient
from booking_catalog.responses import parse_event, parse_seats
from booking_catalog.transport import Deadline
from booking_core.domain.errors import CatalogUnavailable, InvalidValue
from booking_core.domain.values import Seat, TicketedEvent
from booking_core.ports.catalog import CatalogAnswerInvalid
from booking_core.ports.diagnosis import Finding, Grade, Workload

_log = structlog.get_logger("booking_catalog")
_SEATS_PER_REQUEST: Final = 100  # about 3.7 kB of URL
_CALL_IN_TIMEOUTS: Final = 2.5  # times the timeout: two attempts that time out, and a pause
_HALL_IN_TIMEOUTS: Final = 15.0  # times the timeout, for all seats of an event: half a minute
_WAIT_IN_TIMEOUTS: Final = 5.0  # times the timeout, for the first byte of all seats: the service collects them
_NO_EVENT: Final = UUID(int=0)
# A plain seat has 120 bytes, one with descriptions 500: this is twice the largest stadium. A response is parsed as a
# whole; 80,000 seats of 41 MB need 85 MB of memory.
MAX_HALL_BYTES: Final = 128 * 1024 * 1024
MAX_EVENT_BYTES: Final = 8 * 1024 * 1024
_HALL: Final = BodyLimit(
    name="MAX_HALL_BYTES",
    most_bytes=MAX_HALL_BYTES,
    advice="let the Catalog Service leave out fields of seats that booking-core does not read, or split the event",
)
_EVENT: Final = BodyLimit(
    name="MAX_EVENT_BYTES",
    most_bytes=MAX_EVENT_BYTES,
    advice="let the Catalog Service leave out fields that booking-core does not read",
)


class RestCatalog:
    """Catalog (see booking_core.ports.catalog) over HTTP. Connects at the first request.

    `timeout_seconds` limits each wait for the server (to connect, for the next bytes). A whole call, with all its
    attempts and requests, ends after 2.5 times that, even if the server sends a byte at a time. For all seats of an
    event, which may be 80,000, a wait for the next bytes may take 5 times, and the whole call 15 times that. A request
    is made up to `attempts` times while the network fails or times out, or the status is 5xx or 429; a 404 and an
    invalid response are final. After `breaker_threshold` failed attempts in a row, counted as `CircuitBreaker` does,
    none is made for `breaker_recovery_seconds`, then a single one as a trial. An invalid response does not count as a
    failure there. A redirect is an invalid response.

    Every failed call logs `catalog.answer_invalid` or `catalog.unavailable` with the path and the problem. A call that
    the open circuit rejects logs nothing; each change of the circuit logs `catalog.breaker_changed`.
    """

    def __init__(
        self,
        base_url: str,
        *,
        timeout_seconds: float = 2.0,
        attempts: int = 3,
        breaker_threshold: int = 5,
        breaker_recovery_seconds: float = 10.0,
    ) -> None:
        """Raise InvalidValue unless `base_url` is an http or https URL without query and fragment."""
        positive = {"timeout_seconds": timeout_seconds, "attempts": attempts, "breaker_threshold": breaker_threshold}
        for name, value in positive.items():
            if value <= 0:
                raise InvalidValue(name, "must be positive")
        self._timeout_seconds = timeout_seconds
        self._breaker = CircuitBreaker(threshold=breaker_threshold, recovery_seconds=breaker_recovery_seconds)
        self._http = CatalogHttpClient(
            _checked(base_url), connect_seconds=timeout_seconds, attempts=attempts, breaker=self._breaker
        )

    @property
    def breaker_state(self) -> str:
        """`closed`, `open` or `half-open`; an open circuit stays `open` until the next request after its pause."""
        return self._breaker.state

    def event(self, event_id: UUID) -> TicketedEvent | None:
        path = f"/api/v1/events/{event_id}"
        with _logged_failures(path):
            body = self._get(path, event_id, self._deadline(), _EVENT)
            return None if body is None else parse_event(body, event_id)

    def seats(self, event: TicketedEvent, seat_ids: Collection[UUID] | None = None) -> Sequence[Seat] | None:
        """See the port. An empty `seat_ids` returns no seats without a request."""
        path = f"/api/v1/events/{event.event_id}/seats"
        with _logged_failures(path):
            if seat_ids is None:
                deadline = Deadline(_HALL_IN_TIMEOUTS * self._timeout_seconds)
                body = self._get(path, event.event_id, deadline, _HALL, waits=_WAIT_IN_TIMEOUTS)
                return None if body is None else parse_seats(body, event.currency)
            seats: list[Seat] = []
            deadline = self._deadline()
            for chunk in _chunks(seat_ids):
                # The contract has unescaped commas; UUIDs need no escaping.
                body = self._get(f"{path}?seatIds={','.join(map(str, chunk))}", event.event_id, deadline, _EVENT)
                if body is None:
                    return None
                wanted = frozenset(chunk)
                seats += (seat for seat in parse_seats(body, event.currency) if seat.seat_id in wanted)
            return seats

    def _deadline(self) -> Deadline:
        return Deadline(_CALL_IN_TIMEOUTS * self._timeout_seconds)

    def _get(
        self, path: str, event_id: UUID, deadline: Deadline, limit: BodyLimit, *, waits: float = 1.0
    ) -> bytearray | None:
        seconds = waits * self._timeout_seconds
        return self._http.get(path, event=str(event_id), deadline=deadline, limit=limit, timeout_seconds=seconds)

    def diagnose(self, workload: Workload) -> Iterable[Finding]:
        """See `booking_core.ports.Diagnosis`: request an event that does not exist, and expect a 404."""
        began = time.monotonic()
        problem, advice = "", "see that the Catalog Service runs, and that the network lets us through to"
        try:
            self.event(_NO_EVENT)
        except CatalogAnswerInvalid as error:
            problem, advice = str(error), "nothing of the Catalog Service answers there: check the path in"
        except CatalogUnavailable as error:
            problem = str(error.__cause__ or error)
        if problem:
            advice += " BOOKING_CATALOG_URL; until then known seats can be booked for an hour, unknown ones not at all"
            found = f"{problem}; breaker {self.breaker_state}"
            yield Finding(check="catalog", grade=Grade.TROUBLE, found=found, advice=advice)
        else:
            found = f"answers within {(time.monotonic() - began) * 1000:.0f} ms; breaker {self.breaker_state}"
            yield Finding(check="catalog", grade=Grade.OK, found=found)

    def close(self) -> None:
        """Close the connections for good: later calls raise CatalogUnavailable. May be called twice."""
        self._http.close()


def _chunks(seat_ids: Collection[UUID]) -> Iterator[list[UUID]]:
    distinct = list(dict.fromkeys(seat_ids))
    for start in range(0, len(distinct), _SEATS_PER_REQUEST):
        yield distinct[start : start + _SEATS_PER_REQUEST]


@contextmanager
def _logged_failures(path: str) -> Iterator[None]:
    try:
        yield
    except CatalogAnswerInvalid as error:
        _log.warning("catalog.answer_invalid", path=path, problem=str(error))
        raise
    except AttemptFailed as error:
        _log.warning("catalog.unavailable", path=path, problem=str(error))
        raise CatalogUnavailable from error
    except CircuitOpen:
        raise CatalogUnavailable from None


def _checked(base_url: str) -> httpx2.URL:
    try:
        url = httpx2.URL(base_url)
    except httpx2.InvalidURL:
        url = httpx2.URL("")
    port_exists = url.port is None or 0 < url.port < 2**16
    if url.scheme not in ("http", "https") or not url.host or not port_exists or url.query or url.fragment:
        # The error does not repeat the URL, which may contain a password.
        raise InvalidValue("base_url", "must be an http or https URL without query and fragment")
    return url


_URL = "BOOKING_CATALOG_URL"


def create(settings: Mapping[str, str]) -> RestCatalog:
    """The REST client for `settings["BOOKING_CATALOG_URL"]`. Connects to nothing and reads no environment.

    Raises InvalidValue, naming the setting, if it is missing, empty or no http URL.
    """
    url = settings.get(_URL, "")
    if not url:
        raise InvalidValue(_URL, "must be set to the base URL of the Catalog Service")
    try:
        return RestCatalog(url)
    except InvalidValue as error:
        raise InvalidValue(_URL, error.problem) from None
