"""Races through HTTP: one winner per seat, three holds per customer, no deadlock, one booking per key, no 5xx.

The service reserves in groups, as each test makes sure.
"""

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from itertools import combinations
from typing import Final

import psycopg
import pytest

from tests.support.live import BOOKINGS, Answer, Customer, Live, together

_PAIRS_AT_ONCE: Final = 25
# As many requests as one process has database connections: both processes may get them all.
_PAIRS_IN_LINE: Final = 3
_OF_THE_SERVICE: Final = (
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'booking-core'"
)


def rounds(few: int, many: int) -> pytest.MarkDecorator:
    """Few rounds in every run, many with `make soak`."""
    return pytest.mark.parametrize("rounds", [few, pytest.param(many, marks=pytest.mark.soak)])


@contextmanager
def counted_connections(live: Live) -> Iterator[list[int]]:
    """How many connections of the service PostgreSQL shows, again and again until the block ends."""
    live.stage.store.close()  # its connections would count
    seen: list[int] = []
    over = threading.Event()

    def look() -> None:
        with psycopg.connect(live.stage.url, autocommit=True, application_name="watch") as connection:
            while not over.wait(0.005):
                row = connection.execute(_OF_THE_SERVICE).fetchone()
                assert row is not None
                seen.append(row[0])

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield seen
    finally:
        over.set()
        thread.join(60)


def bookings_of(live: Live) -> int:
    """How many there are of the event in hand."""
    query = "SELECT count(*) FROM booking.bookings WHERE event_id = %s"
    return int(live.stage.ask(query, [live.stage.fixture.event.event_id]))


def give_back(customer: Customer, made: Answer) -> None:
    """The customer cancels what has been made."""
    assert customer.call("DELETE", f"{BOOKINGS}/{made.data['bookingId']}").status == 200


@rounds(3, 20)
def test_of_200_customers_one_gets_the_seat(live: Live, rounds: int) -> None:
    live.stage.set_up(seats=rounds)
    crowd = live.crowd(200, "fan")
    with counted_connections(live) as connections:
        for place in range(rounds):
            answers = together([partial(each.call, "POST", BOOKINGS, live.order(place)) for each in crowd])

            (winner,) = [answer for answer in answers if answer.status == 201]
            losers = [answer for answer in answers if answer is not winner]
            assert Counter(answer.refusal for answer in losers) == {(409, "SEAT_ALREADY_RESERVED"): 199}
            for loser in losers:
                assert loser.details == {"unavailableSeatIds": live.seats(place)}
            assert [seat["seatId"] for seat in winner.data["seats"]] == live.seats(place)
            give_back(crowd[answers.index(winner)], winner)  # else who wins too often meets another refusal

    assert live.groups >= rounds
    assert 1 <= max(connections) <= 12  # of a crowd on one seat, one in each process asks the database
    assert bookings_of(live) == rounds
    live.stage.check_books()


@rounds(2, 40)
def test_a_crowd_that_wants_any_two_of_ten_seats_gets_all_ten(live: Live, rounds: int) -> None:
    """Nobody is told of a seat that it did not ask for, nor is a free seat left while somebody wants it."""
    pairs = list(combinations(range(10), 2))
    for number in range(rounds):
        live.stage.set_up(seats=10)
        crowd = live.crowd(3 * len(pairs), f"pairs-{number}")
        wanted = pairs * 3

        answers = together(
            [
                partial(customer.insist, "POST", BOOKINGS, live.order(*pair))
                for customer, pair in zip(crowd, wanted, strict=True)
            ]
        )

        sold = [place for answer, pair in zip(answers, wanted, strict=True) if answer.status == 201 for place in pair]
        assert sorted(sold) == list(range(10))
        for answer, pair in zip(answers, wanted, strict=True):
            if answer.status != 201:
                assert answer.refusal == (409, "SEAT_ALREADY_RESERVED")
                assert set() < set(answer.details["unavailableSeatIds"]) <= set(live.seats(*pair))
    assert live.groups
    live.stage.check_books()


@rounds(3, 50)
def test_of_12_free_seats_one_customer_gets_three(live: Live, rounds: int) -> None:
    for number in range(rounds):
        live.stage.set_up(seats=12)
        doors = [live.customer(f"greedy-{number}") for _ in range(12)]

        answers = together(
            [partial(door.call, "POST", BOOKINGS, live.order(place)) for place, door in enumerate(doors)]
        )

        refused = Counter(answer.refusal for answer in answers if answer.status != 201)
        assert refused == {(409, "PENDING_LIMIT_REACHED"): 9}
        assert len(doors[0].call("GET", f"{BOOKINGS}/my?status=PENDING").data) == 3
    assert live.groups
    live.stage.check_books()


Asked = tuple[Customer, tuple[int, ...]]


def both_orders(pairs: int, live: Live) -> list[Asked]:
    """For each pair of seats two customers, one after the other in the list: one asks for [A, B], one for [B, A]."""
    adas, graces = live.crowd(pairs, "ada"), live.crowd(pairs, "grace")
    seats = [(2 * number, 2 * number + 1) for number in range(pairs)]
    return [
        asked
        for pair, ada, grace in zip(seats, adas, graces, strict=True)
        for asked in ((ada, pair), (grace, pair[::-1]))
    ]


def check_and_give_back(asked: list[Asked], answers: list[Answer], live: Live) -> None:
    """Of each pair one got both seats, and the other was told so; then the seats are free again."""
    for place in range(0, len(asked), 2):
        two = answers[place : place + 2]
        assert {answer.status for answer in two} == {201, 409}, two
        for (customer, places), answer in zip(asked[place : place + 2], two, strict=True):
            if answer.status == 201:
                give_back(customer, answer)
            else:
                assert answer.refusal == (409, "SEAT_ALREADY_RESERVED")
                assert set(answer.details["unavailableSeatIds"]) == set(live.seats(*places))


def deadlocks(live: Live) -> int:
    """How many PostgreSQL has counted. Ends the service: its sessions have then reported everything."""
    live.stop()
    return live.stage.deadlocks()


@rounds(100, 1000)
def test_the_same_two_seats_in_both_orders_never_deadlock(own_live: Live, rounds: int) -> None:
    own_live.stage.set_up(seats=2 * _PAIRS_AT_ONCE)
    asked = both_orders(_PAIRS_AT_ONCE, own_live)
    for _ in range(rounds // _PAIRS_AT_ONCE):
        answers = together([partial(each.insist, "POST", BOOKINGS, own_live.order(*places)) for each, places in asked])

        check_and_give_back(asked, answers, own_live)
    assert 0 < own_live.groups < own_live.metric("booking_group_size_sum")
    own_live.stage.check_books()
    assert deadlocks(own_live) == 0


@rounds(3, 50)
def test_nor_do_they_when_every_first_seat_is_waited_for(own_live: Live, rounds: int) -> None:
    """Chance rarely brings two requests between the locks of two rows. Here they are made to meet: who took the
    second seat first would hold it while both wait for the first."""
    own_live.stage.set_up(seats=2 * _PAIRS_IN_LINE)
    asked = both_orders(_PAIRS_IN_LINE, own_live)
    with ThreadPoolExecutor(len(asked)) as threads:
        for _ in range(rounds):
            with own_live.stage.locked_seats(*range(0, len(asked), 2)) as outsider:
                jobs = [
                    threads.submit(each.insist, "POST", BOOKINGS, own_live.order(*places)) for each, places in asked
                ]
                # One of each pair at least: in the same process the other waits for its turn.
                own_live.stage.await_waiting(_PAIRS_IN_LINE)
                outsider.commit()

            check_and_give_back(asked, [job.result(30) for job in jobs], own_live)
    assert own_live.deferred("seat_locked_or_unknown") > 0
    assert deadlocks(own_live) == 0


@rounds(3, 30)
def test_one_key_is_one_booking_and_every_answer_is_it_or_says_wait(live: Live, rounds: int) -> None:
    live.stage.set_up(seats=2 * rounds)
    for number in range(rounds):
        order = live.order(2 * number, 2 * number + 1)
        doors = [live.customer(f"patient-{number}") for _ in range(50)]

        answers = together([partial(door.call, "POST", BOOKINGS, order, Idempotency_Key="k") for door in doors])

        made = [answer for answer in answers if answer.status == 201]
        assert len({answer.body for answer in made}) == 1
        assert {answer.refusal for answer in answers if answer not in made} <= {(409, "IDEMPOTENCY_IN_PROGRESS")}
    assert bookings_of(live) == rounds
    live.stage.check_books()


@rounds(3, 50)
def test_customers_take_each_others_overdue_seats_and_never_deadlock(own_live: Live, rounds: int) -> None:
    """Of two overdue holds each has one seat of either request, so that two requests settle both, in both orders."""
    own_live.stage.set_up(seats=4 * _PAIRS_AT_ONCE)
    for number in range(rounds):
        holders = [own_live.customer(f"late-{number}-{place}") for place in range(2 * _PAIRS_AT_ONCE)]
        takers = [own_live.customer(f"taker-{number}-{place}") for place in range(2 * _PAIRS_AT_ONCE)]
        held = [(2 * place, 2 * place + 1) for place in range(2 * _PAIRS_AT_ONCE)]
        swapped = [
            pair for first in range(0, 4 * _PAIRS_AT_ONCE, 4) for pair in ((first + 2, first + 1), (first, first + 3))
        ]
        for answer in together(reservations(own_live, holders, held)):
            assert answer.status == 201
        own_live.stage.age(3600)

        answers = together(reservations(own_live, takers, swapped))

        assert Counter(answer.status for answer in answers) == {201: 2 * _PAIRS_AT_ONCE}
        own_live.stage.check_books()
        for taker, answer in zip(takers, answers, strict=True):
            give_back(taker, answer)
    assert own_live.deferred("overdue_hold") > 0
    assert deadlocks(own_live) == 0


def reservations(live: Live, customers: list[Customer], wanted: list[tuple[int, int]]) -> list[Callable[[], Answer]]:
    return [
        partial(customer.insist, "POST", BOOKINGS, live.order(*places))
        for customer, places in zip(customers, wanted, strict=True)
    ]
