"""What a tool that makes up requests finds: events to book and to cancel, and bookings in every status."""

from typing import Final

from attrs import frozen

from booking_core.contracts.store.fixture import StoreFixture
from booking_core.domain.booking import Booking
from tests.support.postgres.stage import Stage

CUSTOMER: Final = "auth0|wild-customer"
ADMIN: Final = "auth0|wild-administrator"
# Few: they want the same ones.
_SEATS: Final = 16
_TICKETS: Final = 10
_DOOMED: Final = 12


@frozen
class Scene:
    """Ids as texts. `tickets` are CONFIRMED bookings of each user, `others` theirs in every other status."""

    event_id: str
    seat_ids: list[str]
    doomed: list[str]
    tickets: list[str]
    references: list[str]
    others: list[str]


def set_scene(stage: Stage) -> Scene:
    """Written past the API, as workers and other customers would."""
    doomed = [str(stage.set_up(seats=2, days=1 + number / 10).event.event_id) for number in range(_DOOMED)]
    sold = stage.set_up(seats=2 * (_TICKETS + 4) + 1, days=20)
    places = iter(range(len(sold.seats)))
    tickets: list[Booking] = []
    others: list[Booking] = []
    for user in (CUSTOMER, ADMIN):
        confirmed = [_confirmed(sold, next(places), user) for _ in range(_TICKETS + 1)]
        others.append(sold.cancel(confirmed.pop()))
        tickets += confirmed
        others += [sold.reserve(next(places), user=user) for _ in range(3)]
        for paying in others[-2:]:
            sold.start_payment(paying, payment_id=f"pay-{paying.booking_id}")
    others.append(sold.reserve(next(places), user="auth0|somebody-else"))
    hall = stage.set_up(seats=_SEATS, days=30)
    return Scene(
        event_id=str(hall.event.event_id),
        seat_ids=[str(seat.seat_id) for seat in hall.seats],
        doomed=doomed,
        tickets=[str(each.booking_id) for each in tickets],
        references=[each.ticket_reference or "" for each in tickets],
        others=[str(each.booking_id) for each in others],
    )


def _confirmed(event: StoreFixture, place: int, user: str) -> Booking:
    booking = event.reserve(place, user=user)
    event.pay(booking, payment_id=f"pay-{place}")
    return event.stored(booking)
