"""Seats are listed as people read them: by row and number, the numbers within a row's name as numbers."""

from decimal import Decimal
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from booking_core.domain.booking import Booking
from booking_core.domain.values import Seat, in_reading_order, row_key
from tests.support.builders import CUSTOMER, TERMS, USER, at, event, loaded


def named(*places: str) -> list[Seat]:
    """Seats like `A-10`, with ids in the opposite order."""
    return [
        Seat(seat_id=UUID(int=1000 - n), row=row, number=int(number), price=Decimal(1))
        for n, (row, number) in enumerate(place.split("-") for place in places)
    ]


def names(seats: tuple[Seat, ...]) -> list[str]:
    return [f"{seat.row}-{seat.number}" for seat in seats]


@pytest.mark.parametrize(
    "wanted",
    [
        ["A-1", "A-2", "A-10"],
        ["2-1", "10-1"],
        ["A2-5", "A10-1"],
        ["Balcony 2-7", "Balcony 10-3"],
        ["Box 2 Row 9-1", "Box 2 Row 10-1", "Box 10 Row 1-1"],
        ["-3", "1-1", "A-1"],
        ["A-2", "a-1", "B-1"],
        ["07-2", "7-1", "8-1"],
        ["É-1", "Ж-1"],
    ],
)
def test_seats_are_sorted_as_people_read_them(wanted: list[str]) -> None:
    assert names(in_reading_order(reversed(named(*wanted)))) == wanted


def test_seats_of_one_place_are_sorted_by_id() -> None:
    first, second = named("A-1", "A-1")
    assert in_reading_order([first, second]) == (second, first)


@given(st.lists(st.integers(0, 10**6), min_size=2, max_size=6))
def test_rows_with_numbers_sort_like_the_numbers(numbers: list[int]) -> None:
    rows = [f"Row {number}" for number in numbers]
    assert sorted(rows, key=row_key) == [f"Row {number}" for number in sorted(numbers)]


def test_a_booking_and_its_events_list_seats_in_order() -> None:
    seats = named("A-1", "A-2", "A-10", "B-1")
    booking = Booking.reserve(
        user_id=USER, event=event(), seats=tuple(reversed(seats)), now=at(0), terms=TERMS, cause=CUSTOMER
    )
    created = booking.new_events[0]
    later = loaded(booking)
    later.cancel(at(1), None, CUSTOMER)

    assert booking.seats == tuple(seats)
    assert created.seat_ids == later.new_events[0].released_seat_ids == tuple(seat.seat_id for seat in seats)  # type: ignore[attr-defined]
