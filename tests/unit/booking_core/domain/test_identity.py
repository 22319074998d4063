"""Ids carry their slot and their time; the slot of an id is the same in every release."""

from datetime import UTC, datetime, timedelta
from random import Random
from uuid import RFC_4122, UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from booking_core.domain.identity import (
    SLOTS,
    new_booking_id,
    new_id,
    new_ticket_reference,
    slot_of_booking,
    slot_of_event,
    slot_of_ticket,
    ticket_reference_in,
)
from tests.support.builders import EVENT_ID, at

CROCKFORD = set("0123456789ABCDEFGHJKMNPQRSTVWXYZ")
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MILLISECOND = timedelta(milliseconds=1)
MOMENTS = st.datetimes(datetime(2020, 1, 1), datetime(2120, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - given a zone


# These are stored in every key of every table: they may never change.
@pytest.mark.parametrize(
    ("event_id", "slot"),
    [
        ("00000000-0000-0000-0000-000000000000", 0x374),
        ("018f2b6a-7c1d-7e3a-9b4c-5d6e7f809101", 0xC5A),
        ("ffffffff-ffff-ffff-ffff-ffffffffffff", 0x5AC),
    ],
)
def test_the_slot_of_an_event_is_the_same_in_every_release(event_id: str, slot: int) -> None:
    assert slot_of_event(UUID(event_id)) == slot


def test_a_booking_carries_its_slot_in_its_third_group() -> None:
    assert slot_of_booking(UUID("018f2b6a-7c1d-7abc-9b4c-5d6e7f809101")) == 0xABC


@given(MOMENTS, st.uuids())
def test_a_booking_is_found_from_its_id_alone(now: datetime, event_id: UUID) -> None:
    booking_id = new_booking_id(now, event_id)

    assert slot_of_booking(booking_id) == slot_of_event(event_id)
    assert 0 <= slot_of_event(event_id) < SLOTS == 4096


@given(MOMENTS, st.uuids())
def test_ids_are_uuids_of_version_7(now: datetime, event_id: UUID) -> None:
    for made in (new_booking_id(now, event_id), new_id(now)):
        assert (made.version, made.variant) == (7, RFC_4122)
        assert str(made)[14] == "7"
        assert str(made)[19] in "89ab"
        assert made.int >> 80 == (now - EPOCH) // MILLISECOND


@given(MOMENTS, st.timedeltas(MILLISECOND, timedelta(days=400)), st.uuids())
def test_ids_are_ordered_by_time_to_the_millisecond(now: datetime, later: timedelta, event_id: UUID) -> None:
    assert new_id(now) < new_id(now + later)
    assert new_booking_id(now, event_id) < new_booking_id(now + later, event_id)
    assert str(new_id(now)) < str(new_id(now + later))


def test_ids_of_one_moment_are_unique() -> None:
    assert len({new_id(at(0)) for _ in range(2000)}) == 2000
    assert len({new_booking_id(at(0), EVENT_ID) for _ in range(2000)}) == 2000


def test_the_random_bits_of_ids_are_all_used() -> None:
    seen = [new_booking_id(at(0), EVENT_ID).int & (2**62 - 1) for _ in range(200)]
    ever_set, always_set = 0, 2**62 - 1
    for bits in seen:
        ever_set, always_set = ever_set | bits, always_set & bits

    assert (ever_set, always_set) == (2**62 - 1, 0)


def test_slots_are_spread_evenly() -> None:
    used = {slot_of_event(UUID(int=n)) for n in range(40_000)}
    assert len(used) > 4090


@given(st.integers(0, SLOTS - 1))
def test_a_ticket_carries_its_slot(slot: int) -> None:
    reference = new_ticket_reference(slot)

    assert slot_of_ticket(reference) == slot
    assert len(reference) == 28
    assert set(reference) <= CROCKFORD


def test_tickets_cannot_be_guessed() -> None:
    # 128 random bits: the last 25 of the 28 letters take every value, and no two tickets are alike.
    tickets = [new_ticket_reference(7) for _ in range(2000)]

    assert len(set(tickets)) == 2000
    assert all({ticket[place] for ticket in tickets} == CROCKFORD for place in range(3, 28))
    assert len({ticket[2] for ticket in tickets}) == 8
    assert len({ticket[:2] for ticket in tickets}) == 1


@pytest.mark.parametrize("text", ["", "0" * 27, "0" * 29, "I" + "0" * 27, "0" * 27 + "o", "é" * 28, " " * 28])
def test_a_text_that_cannot_be_a_ticket_has_no_slot(text: str) -> None:
    assert slot_of_ticket(text) is None
    assert slot_of_ticket("0" * 28) == 0
    assert slot_of_ticket("Z" * 28) == SLOTS - 1


@given(st.text(sorted(CROCKFORD), min_size=28, max_size=28), st.randoms(use_true_random=False))
def test_a_reference_is_understood_however_it_was_typed(reference: str, how: Random) -> None:
    spelled = {"0": "0oO", "1": "1iIlL"}
    typed = "".join(how.choice(spelled.get(letter, letter + letter.lower())) for letter in reference)
    typed = "".join(letter + how.choice(["", "", "-", " ", "\n"]) for letter in typed)

    assert ticket_reference_in(reference) == reference
    assert ticket_reference_in(typed) == reference


@pytest.mark.parametrize(
    "text",
    [
        "",
        "0" * 27,
        "0" * 29,
        "U" + "0" * 27,
        "_" + "0" * 27,
        "\0" * 28,
        "é" + "0" * 27,
        "\u0131" + "0" * 27,
        "\u0660" * 28,
    ],
)
def test_what_cannot_be_a_reference_is_none(text: str) -> None:
    assert ticket_reference_in(text) is None


@given(st.text(max_size=60))
def test_any_text_is_a_reference_or_none(text: str) -> None:
    found = ticket_reference_in(text)

    assert found is None or (len(found) == 28 and slot_of_ticket(found) is not None)
