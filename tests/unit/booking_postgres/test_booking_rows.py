"""What saving a booking writes: each table by its part, and nothing for a booking that did not change."""

from booking_core.domain.booking import Booking
from booking_core.domain.identity import slot_of_booking
from booking_core.domain.values import ActorKind, Cause
from booking_postgres.booking_rows import changed_booking
from booking_postgres.writes.reservation import insert_booking
from tests.support import builders

CAUSE = Cause(actor=ActorKind.CUSTOMER, actor_id=builders.USER, correlation_id="c")


def names(booking: Booking) -> list[str]:
    return [statement.name for statement in changed_booking(booking)]


def test_an_unchanged_booking_writes_nothing() -> None:
    assert names(builders.pending()) == []


def test_a_payment_in_progress_moves_the_claims_and_ends_the_hold() -> None:
    booking = builders.pending()
    booking.start_payment("pay-1", builders.at(1), builders.TERMS, CAUSE)

    assert names(booking) == ["update booking", "claims", "end hold", "payment", "history"]


def test_a_payment_that_is_asked_back_touches_no_claim() -> None:
    booking = builders.pending()
    booking.confirm("pay-1", builders.usd("1.00"), builders.at(1), CAUSE)

    assert names(booking) == ["update booking", "payment", "history", "event"]


def test_an_expired_hold_says_two_events() -> None:
    booking = builders.pending()
    booking.expire(builders.at(10), CAUSE)

    assert names(booking) == ["update booking", "claims", "end hold", "history", "event", "event"]


def test_every_statement_carries_the_slot_or_the_user() -> None:
    booking = builders.pending()
    booking.confirm("pay-1", booking.total, builders.at(1), CAUSE)

    for statement in changed_booking(booking):
        assert statement.values["slot"] == slot_of_booking(booking.booking_id)


def test_a_new_booking_is_one_statement_with_a_claim_for_each_seat() -> None:
    booking = builders.just_reserved()
    statement = insert_booking(booking)

    assert statement.sql.count("%(seat_") == len(booking.seats)
    assert {statement.values[f"seat_{n}"] for n in range(len(booking.seats))} == set(booking.seat_ids)
    assert insert_booking(booking).sql is statement.sql
