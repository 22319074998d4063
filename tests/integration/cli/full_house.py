"""An event with many bookings in every state, and what must be left of them when it was cancelled."""

from collections import Counter
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

import psycopg
from attrs import define, field

from booking_core.contracts.store.fixture import StoreFixture
from booking_core.contracts.store.payments import paying
from booking_core.domain.booking import Booking
from tests.support.postgres.stage import Stage, open_store

# Of the bookings that live, each in turn: how many of its payments wait to be asked back, and what to do to it.
_PENDING, _PROCESSING, _CONFIRMED, _PAID_TWICE = range(4)
_ENDED: Final = 8
_REFUNDS: Final = """
    SELECT key, body::json #>> '{payload,paymentId}', body::json #>> '{payload,reason}' FROM booking.outbox
    WHERE event_type = 'booking.refund_requested'
"""
_ENDINGS: Final = "SELECT booking_id FROM booking.history WHERE trigger = 'EVENT_CANCELLED'"
_STATES: Final = "SELECT booking_id, status, cancellation_reason FROM booking.bookings"


@define(eq=False)
class FullHouse:
    """`live` are the bookings that the cancelling ends; `others` how those that it leaves alone have ended.

    `refunds` are all that must have been asked for at the end: (booking, payment, reason).
    """

    event_id: UUID
    live: set[UUID] = field(factory=set)
    others: dict[UUID, str] = field(factory=dict)
    refunds: set[tuple[UUID, str, str]] = field(factory=set)
    taken: Decimal = Decimal(0)

    @classmethod
    def fill(cls, url: str, live: int) -> "FullHouse":
        """Bring the empty database up to date, and put a house with so many live bookings into it."""
        store = open_store(url, 1)
        store.upkeep.migrate()
        store.close()
        with Stage.at(url, seats=live + 2 * _ENDED) as stage:
            house, fixture = cls(stage.fixture.event.event_id), stage.fixture
            for place in range(live):
                house._fill_live(fixture, fixture.reserve(place, user=f"user-{place}"), place % 4)
            for place in range(live, live + _ENDED):
                given_back = fixture.reserve(place, user=f"user-{place}")
                house.others[fixture.cancel(given_back).booking_id] = "USER_CANCELLED"
                overdue = fixture.reserve(place + _ENDED, user=f"user-{place}", window=0.001)
                house.others[overdue.booking_id] = "EXPIRED"
            return house

    def _fill_live(self, fixture: StoreFixture, booking: Booking, state: int) -> None:
        self.live.add(booking.booking_id)
        if state == _PENDING:
            # Money that did not fit is asked back already, and must not be once more.
            fixture.change(booking.booking_id, paying("pay-0", "1.00"))
            self.refunds.add((booking.booking_id, "pay-0", "AMOUNT_MISMATCH"))
        if state == _PROCESSING:
            fixture.start_payment(booking)
        if state in (_CONFIRMED, _PAID_TWICE):
            fixture.pay(booking)
            self.refunds.add((booking.booking_id, "pay-1", "EVENT_CANCELLED"))
            self.taken += booking.total.amount
        if state == _PAID_TWICE:
            fixture.pay(booking, "pay-2")
            self.refunds.add((booking.booking_id, "pay-2", "DUPLICATE_PAYMENT"))

    def check_cancelled(self, door: psycopg.Connection[Any]) -> None:
        """Every booking was cancelled once, every payment asked back once, and the end was said once."""
        states = {row[0]: row[1:] for row in door.execute(_STATES)}
        assert states == {
            **dict.fromkeys(self.live, ("CANCELLED", "EVENT_CANCELLED")),
            **{booking_id: ("CANCELLED", reason) for booking_id, reason in self.others.items()},
        }
        assert Counter(row[0] for row in door.execute(_ENDINGS)) == Counter(self.live)
        assert Counter(door.execute(_REFUNDS).fetchall()) == Counter(self.refunds)
        said = door.execute("SELECT key, body FROM booking.outbox WHERE event_type = 'event.cancelled'").fetchall()
        assert [row[0] for row in said] == [self.event_id]
        assert f'"affectedBookings":{len(self.live)}' in said[0][1].replace(" ", "")
        Stage("", None, None, door).check_books()  # type: ignore[arg-type]  # it needs no more than the door
