"""What must never be is refused by the tables themselves, whatever the code thinks."""

from typing import Any

import pytest
from psycopg.errors import CheckViolation, ForeignKeyViolation, NotNullViolation, UniqueViolation

from booking_core.domain.booking import Booking
from tests.support.postgres.stage import Stage


@pytest.fixture
def pending(stage: Stage) -> Booking:
    """Seat 0 is held; seat 1 is paid for by somebody else."""
    stage.fixture.pay(stage.fixture.reserve(1, user="grace"))
    return stage.fixture.reserve(0)


def refuses(stage: Stage, kind: type[Exception], statement: str, *values: Any) -> None:
    with pytest.raises(kind):
        stage.door.execute(statement, values)


OTHER_CLAIM = """
    INSERT INTO booking.claims (slot, event_id, seat_id, booking_id, row_name, number, price, held_until, ended_at)
    SELECT c.slot, c.event_id, c.seat_id, b.booking_id, 'A', 1, 75, NULL, {ended}
    FROM booking.claims c, booking.bookings b WHERE c.booking_id = %s AND b.booking_id <> c.booking_id
"""


@pytest.mark.usefixtures("pending")
class TestBookings:
    @pytest.mark.parametrize(
        "change",
        [
            "status = 'LOST'",
            "status = 'CONFIRMED', deadline = NULL",
            "status = 'CONFIRMED', deadline = NULL, confirmed_at = now(), ticket_reference = 'T'",
            "status = 'CANCELLED', deadline = NULL",
            "status = 'CANCELLED', deadline = NULL, cancelled_at = now()",
            "status = 'CANCELLED', deadline = NULL, cancelled_at = now(), cancellation_reason = 'WHIM'",
            "status = 'CANCELLED', cancelled_at = now(), cancellation_reason = 'EXPIRED'",
            "status = 'PROCESSING'",
            "cancelled_at = now(), cancellation_reason = 'EXPIRED'",
            "deadline = NULL",
            "deadline = expires_at - interval '1 microsecond'",
            "expires_at = created_at",
            "total = -0.01",
            "currency = 'usd'",
            "currency = 'DOLLAR'",
            "user_id = ''",
            "user_id = repeat('x', 256)",
            "revision = 0",
            "sequence = 0",
        ],
    )
    def test_a_state_that_cannot_be(self, stage: Stage, change: str) -> None:
        refuses(stage, CheckViolation, f"UPDATE booking.bookings SET {change} WHERE status = 'PENDING'")

    def test_a_ticket_belongs_to_one_booking(self, stage: Stage, pending: Booking) -> None:
        refuses(
            stage,
            UniqueViolation,
            "UPDATE booking.bookings SET ticket_reference = (SELECT max(ticket_reference) FROM booking.bookings)"
            " WHERE booking_id = %s",
            pending.booking_id,
        )


class TestClaims:
    def test_a_seat_has_one_live_claim(self, stage: Stage, pending: Booking) -> None:
        refuses(stage, UniqueViolation, OTHER_CLAIM.format(ended="NULL"), pending.booking_id)

        stage.door.execute(OTHER_CLAIM.format(ended="now()"), [pending.booking_id])  # one that has ended may be

    def test_an_ended_claim_does_not_come_back_over_a_live_one(self, stage: Stage, pending: Booking) -> None:
        stage.door.execute(OTHER_CLAIM.format(ended="now()"), [pending.booking_id])

        refuses(stage, UniqueViolation, "UPDATE booking.claims SET ended_at = NULL")

    @pytest.mark.parametrize("column", ["booking_id", "seat_id"])
    def test_a_claim_is_on_a_seat_and_of_a_booking(self, stage: Stage, pending: Booking, column: str) -> None:
        change = f"UPDATE booking.claims SET {column} = gen_random_uuid() WHERE booking_id = %s"
        refuses(stage, ForeignKeyViolation, change, pending.booking_id)

    def test_bookings_and_seats_with_claims_are_not_deleted(self, stage: Stage, pending: Booking) -> None:
        for table in ("bookings", "seats", "events"):
            refuses(stage, ForeignKeyViolation, f"DELETE FROM booking.{table}")


@pytest.mark.usefixtures("pending")
class TestPayments:
    @pytest.mark.parametrize(
        "change",
        [
            "status = 'MAYBE'",
            "status = 'FAILED'",
            "amount = NULL",
            "amount = -1",
            "currency = NULL",
            "currency = '$'",
            "taken_at = NULL",
            "refund_reason = 'LATE_PAYMENT'",
            "refund_reason = 'LATE_PAYMENT', refund_status = 'REQUESTED'",
            "refund_reason = 'MERCY', refund_status = 'REQUESTED', refund_requested_at = now()",
            "refund_reason = 'LATE_PAYMENT', refund_status = 'DONE', refund_requested_at = now()",
            "refund_reason = 'LATE_PAYMENT', refund_status = 'COMPLETED', refund_requested_at = now()",
            "refund_reason = 'LATE_PAYMENT', refund_status = 'REQUESTED', refund_requested_at = now(),"
            " refund_answered_at = now()",
            "status = 'FAILED', amount = NULL, currency = NULL, taken_at = NULL, refund_reason = 'LATE_PAYMENT',"
            " refund_status = 'REQUESTED', refund_requested_at = now()",
        ],
    )
    def test_a_state_that_cannot_be(self, stage: Stage, change: str) -> None:
        refuses(stage, CheckViolation, f"UPDATE booking.payments SET {change}")

    def test_a_payment_is_recorded_once(self, stage: Stage) -> None:
        refuses(stage, UniqueViolation, "INSERT INTO booking.payments SELECT * FROM booking.payments")


@pytest.mark.usefixtures("pending")
class TestTheRest:
    @pytest.mark.parametrize(
        "change",
        [
            "events SET slot = 4096",
            "events SET slot = -1",
            "events SET sale_status = 'SOLD'",
            "events SET currency = 'Usd'",
            "events SET closed_at = now()",
            "events SET close_reason = 'rain'",
            "events SET finished_at = now()",
            "seats SET price = -0.01",
            "seats SET price = 1e12",
            "seats SET price = 'NaN'",
            "seats SET number = -1",
            "history SET number = 0",
            "outbox SET sequence = 0",
        ],
    )
    def test_a_value_that_cannot_be(self, stage: Stage, change: str) -> None:
        refuses(stage, CheckViolation, f"UPDATE booking.{change}")

    @pytest.mark.parametrize("table", ["history", "outbox", "holds", "bookings", "seats", "events", "claims"])
    def test_nothing_is_there_twice(self, stage: Stage, table: str) -> None:
        refuses(stage, UniqueViolation, f"INSERT INTO booking.{table} SELECT * FROM booking.{table}")

    def test_every_booking_says_whose_it_is(self, stage: Stage) -> None:
        for column in ("user_id", "event_id", "correlation_id", "total"):
            refuses(stage, NotNullViolation, f"UPDATE booking.bookings SET {column} = NULL")
