"""Messages that an earlier version processed: their rows have no payment and no type, and the booking's slot."""

from uuid import uuid4

import pytest
from attrs import evolve

from booking_core.contracts.store.inbox import mark_processed, message
from booking_core.domain.booking import Booking
from booking_core.domain.commands import PaymentCommand
from booking_core.domain.identity import slot_of_booking, slot_of_message
from booking_core.ports import Receipt
from tests.support.postgres.stage import Stage

_BY_EARLIER_VERSION = """
    INSERT INTO booking.inbox (slot, message_id, booking_id, received_at)
    VALUES (%s, %s, %s, clock_timestamp()) ON CONFLICT (slot, message_id) DO NOTHING RETURNING true
"""


def processed_by_earlier_version(stage: Stage, done: PaymentCommand) -> bool:
    """Whether the statement of the earlier version takes the message for a new one."""
    values = [slot_of_booking(done.booking_id), done.message_id, done.booking_id]
    return bool(stage.door.execute(_BY_EARLIER_VERSION, values).fetchall())


@pytest.fixture
def bookings(stage: Stage) -> tuple[Booking, Booking]:
    """Two of one event, which are in one slot."""
    return stage.fixture.reserve(0), stage.fixture.reserve(1)


def test_the_same_booking_is_a_repeat_and_another_a_reuse(stage: Stage, bookings: tuple[Booking, Booking]) -> None:
    old = message(bookings[0])
    assert processed_by_earlier_version(stage, old)

    assert mark_processed(stage.store, old) == [Receipt.REPEATED]
    assert mark_processed(stage.store, evolve(old, payment_id="pay-2")) == [Receipt.REPEATED]  # it is not known
    assert mark_processed(stage.store, message(bookings[1], message_id=old.message_id)) == [Receipt.REUSED]
    assert mark_processed(stage.store, old, old) == [Receipt.REPEATED] * 2
    rows = stage.door.execute("SELECT booking_id, retained FROM booking.inbox").fetchall()
    assert rows == [(old.booking_id, True)]


def test_an_old_row_in_the_slot_of_the_message_is_understood(stage: Stage, bookings: tuple[Booking, Booking]) -> None:
    """By chance both are one slot: 1 of 4096."""
    slot = slot_of_booking(bookings[0].booking_id)
    message_id = next(each for each in iter(uuid4, None) if slot_of_message(each) == slot)
    old = message(bookings[0], message_id=message_id)
    assert processed_by_earlier_version(stage, old)
    stage.set_up()
    elsewhere = stage.fixture.reserve(0)

    assert mark_processed(stage.store, message(elsewhere, message_id=message_id)) == [Receipt.REUSED]
    assert mark_processed(stage.store, old) == [Receipt.REPEATED]


def test_the_earlier_version_goes_on_inserting_and_pruning(stage: Stage, bookings: tuple[Booking, Booking]) -> None:
    new = message(bookings[0])
    assert mark_processed(stage.store, new) == [Receipt.NEW]
    processed_by_earlier_version(stage, new)

    assert mark_processed(stage.store, new) == [Receipt.REPEATED]
    pruned = stage.store.upkeep.prune(idempotency_hours=0, retention_days=0, limit=100)
    assert pruned.rows == (1 if slot_of_message(new.message_id) == slot_of_booking(new.booking_id) else 2)
    assert mark_processed(stage.store, new) == [Receipt.NEW]
