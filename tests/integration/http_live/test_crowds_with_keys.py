"""A crowd whose requests have idempotency keys: everybody is told soon, and who repeats a success hears it again."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Final

import pytest

from tests.support.live import BOOKINGS, Answer, Customer, Live

_CROWD: Final = 60


def reserve(customer: Customer, live: Live, key: str, place: int) -> Answer:
    return customer.insist("POST", BOOKINGS, live.order(place), Idempotency_Key=key)


def at_one_seat(live: Live, doors: Sequence[tuple[Customer, str]], place: int) -> list[Answer]:
    """The answers of all, most of whom have come before the first of them gets anywhere."""
    with ThreadPoolExecutor(len(doors)) as threads, ExitStack() as held_up:
        held_up.enter_context(live.stage.locked_seats(place))
        jobs = [threads.submit(reserve, each, live, key, place) for each, key in doors]
        live.stage.await_waiting(1)
        held_up.close()
        return [job.result(30) for job in jobs]


@pytest.mark.parametrize("rounds", [4, pytest.param(60, marks=pytest.mark.soak)])
def test_who_repeats_a_success_hears_it_again_and_all_others_that_the_seat_is_taken(live: Live, rounds: int) -> None:
    """Each customer asks twice at once with the same key, others between, and a third time when all is over."""
    live.stage.set_up(seats=rounds)
    names = [f"key-{number}" for number in range(_CROWD)]
    doors = [(live.customer(name), name) for _ in range(2) for name in names]
    for place in range(rounds):
        keyed = [(customer, f"{name}-at-{place}") for customer, name in doors]

        answers = at_one_seat(live, keyed, place)
        later = [reserve(customer, live, key, place) for customer, key in keyed[:_CROWD]]

        (winner,) = {number % _CROWD for number, answer in enumerate(answers) if answer.status == 201}
        heard = [*answers[winner::_CROWD], later[winner]]
        assert {answer.status for answer in heard} == {201}
        assert len({answer.body for answer in heard}) == 1
        assert [answer.headers.get("Idempotency-Replayed", "") for answer in heard].count("") == 1
        refused = [each for number, each in enumerate([*answers, *later]) if number % _CROWD != winner]
        assert {answer.refusal for answer in refused} == {(409, "SEAT_ALREADY_RESERVED")}
        assert all(answer.details == {"unavailableSeatIds": live.seats(place)} for answer in refused)
        gone = keyed[winner][0].call("DELETE", f"{BOOKINGS}/{heard[0].data['bookingId']}")
        assert gone.status == 200  # else who wins too often meets another refusal
    live.stage.check_books()


def test_a_refusal_is_not_kept(live: Live) -> None:
    live.stage.set_up(seats=1)
    crowd = [(live.customer(f"again-{number}"), f"again-{number}") for number in range(20)]
    answers = at_one_seat(live, crowd, 0)
    (winner,) = [number for number, answer in enumerate(answers) if answer.status == 201]
    crowd[winner][0].call("DELETE", f"{BOOKINGS}/{answers[winner].data['bookingId']}")
    loser, key = crowd[winner - 1]

    assert answers[winner - 1].refusal == (409, "SEAT_ALREADY_RESERVED")
    assert reserve(loser, live, key, 0).status == 201
