"""One request on its way through the front, and what it wants."""

from asyncio import Future
from collections.abc import Hashable, Mapping
from typing import Any, Final
from uuid import UUID

from attrs import define, field, frozen

from booking_api.gateway_responses import GatewayRequest, GatewayResponse
from booking_api.http.bodies import Body, CreateBooking, decode_create_booking
from booking_api.routes.bookings import BOOKINGS
from booking_core.domain.policies import MAX_SEATS

Lane = tuple[str, Hashable]
Answer = GatewayResponse


# No header that is used here may have it, so that it is refused and not overlooked.
_NOT_ASCII: Final = "\ufffd"


@frozen
class ReservationIntent:
    """What a reservation wants: its `seats`, and the `lanes` in which it takes its turn.

    Seats are those of `event_id`: two events may name theirs alike. `has_key`: it may be a repetition, whose answer is
    kept under its idempotency key, whatever has become of the seats.
    """

    seats: frozenset[UUID]
    lanes: tuple[Lane, ...]
    has_key: bool
    event_id: UUID


@define(eq=False)
class PendingRequest:
    """A request that has arrived with its body; `scope` is granian's description of it.

    `reservation`: its body, decoded, if it is a well-formed reservation.

    `began` (on `time.perf_counter`) is 0 until the application has it. `taken` are seats that it is told of, `found`
    those that it found taken itself; `held_up` if it did not get to see them in time; `was_looked_at` if there was a
    look at its seats after it had arrived, so that there need not be another.
    """

    request: GatewayRequest
    scope: Any
    body: bytes
    reservation: Body[CreateBooking] | None = None
    wish: ReservationIntent | None = None
    began: float = 0.0
    taken: frozenset[UUID] = frozenset()
    found: frozenset[UUID] = frozenset()
    held_up: bool = False
    was_looked_at: bool = False
    answer: "Future[Answer]" = field(init=False, repr=False)

    @property
    def arrived(self) -> float:
        """When, on `time.perf_counter`."""
        return self.request.arrived

    @property
    def lanes(self) -> tuple[Lane, ...]:
        """The lanes in which it takes its turn; none for what is not a reservation."""
        return self.wish.lanes if self.wish is not None else ()


def headers_of(scope: Any) -> dict[str, str]:
    """The headers by their names in lower case; one that is given twice is joined by commas."""
    items = scope.headers.items()
    headers = dict(items)
    if len(headers) < len(items):
        headers = {name: ",".join(text for other, text in items if other == name) for name in headers}
    for name in scope.headers.keys():  # noqa: SIM118 - not a dict: `items` leaves out what is not ASCII
        headers.setdefault(name, _NOT_ASCII)
    return headers


def reservation_in(method: str, path: str, body: bytes) -> Body[CreateBooking] | None:
    """The body of a reservation, decoded; None for other requests, and for one that will be refused for its form."""
    if method != "POST" or f"/{path.lstrip('/')}" != BOOKINGS:
        return None
    return decode_create_booking(body)


def wish_of(headers: Mapping[str, str], reservation: Body[CreateBooking]) -> ReservationIntent | None:
    """What a reservation wants; None for one that will be refused for its number of seats.

    One lane for each seat, and one for the customer, who is known here by the token as it is written.
    """
    if len(reservation.fields.seat_ids) > MAX_SEATS:
        return None
    event_id = reservation.fields.event_id
    seats = frozenset(reservation.fields.seat_ids)
    lanes: list[Lane] = [("seat", (event_id, seat_id)) for seat_id in seats]
    # Blanks before a token are not part of it, and the scheme is spelled in many ways.
    lanes.append(("user", headers.get("authorization", "").rpartition(" ")[2]))
    return ReservationIntent(seats, tuple(lanes), "idempotency-key" in headers, event_id)
