"""What stands before the application: crowds, slow callers and stuck databases are nobody else's trouble."""

import socket
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from time import monotonic
from typing import Final

from tests.support.live import BOOKINGS, Answer, Customer, Live, together

_PROCESSES: Final = 2
_WAITING: Final = (
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
)


@contextmanager
def most_waiting(live: Live) -> Iterator[list[int]]:
    """How many sessions wait for a lock, again and again until the block ends."""
    seen = [0]
    over = threading.Event()

    def look() -> None:
        while not over.wait(0.01):
            seen.append(live.stage.ask(_WAITING))

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield seen
    finally:
        over.set()
        thread.join(60)


def reserve(customer: Customer, live: Live, *places: int) -> Answer:
    return customer.call("POST", BOOKINGS, live.order(*places))


def test_a_seat_that_is_held_up_holds_up_nobody_else(live: Live) -> None:
    """One in each process waits for it in the database; the others wait outside, and hear of it together."""
    live.stage.set_up(seats=30)
    crowd = live.crowd(40, "crowd")
    side = live.customer("side")
    with ThreadPoolExecutor(len(crowd)) as threads, live.stage.locked_seats(0), most_waiting(live) as waiting:
        jobs = [threads.submit(reserve, each, live, 0) for each in crowd]
        live.stage.await_waiting(1)
        served = [reserve(side, live, place) for place in range(1, 4)]
        answers = [job.result(30) for job in jobs]

    assert [answer.status for answer in served] == [201, 201, 201]
    assert Counter(answer.refusal for answer in answers) == {(503, "SERVICE_BUSY"): 40}
    assert max(waiting) <= _PROCESSES


def test_a_free_seat_is_not_refused_because_it_was_taken_a_moment_ago(live: Live) -> None:
    live.stage.set_up(seats=1)
    owner, next_one = live.customer("owner"), live.customer("next")
    for _ in range(10):
        made = reserve(owner, live, 0)
        assert reserve(next_one, live, 0).refusal == (409, "SEAT_ALREADY_RESERVED")
        assert owner.call("DELETE", f"{BOOKINGS}/{made.data['bookingId']}").status == 200

        taken_over = reserve(next_one, live, 0)
        assert taken_over.status == 201
        assert next_one.call("DELETE", f"{BOOKINGS}/{taken_over.data['bookingId']}").status == 200


def test_a_crowd_hears_of_its_own_seats_alone(live: Live) -> None:
    live.stage.set_up(seats=4)
    assert reserve(live.customer("owner"), live, 0, 1).status == 201
    wishes = [(0,), (1,), (0, 1), (0, 2), (1, 2, 3)] * 8
    crowd = live.crowd(len(wishes), "picky")

    answers = together([partial(reserve, each, live, *places) for each, places in zip(crowd, wishes, strict=True)])

    for answer, places in zip(answers, wishes, strict=True):
        assert answer.refusal == (409, "SEAT_ALREADY_RESERVED")
        taken = [place for place in places if place in (0, 1)]
        assert answer.details["unavailableSeatIds"] == sorted(live.seats(*taken))


def test_bad_tokens_in_a_crowd_hear_nothing(live: Live) -> None:
    live.stage.set_up(seats=1)
    strangers = [live.customer("x", token="not.a.token") for _ in range(20)]
    crowd = [*live.crowd(20, "known"), *strangers]

    answers = together([partial(reserve, each, live, 0) for each in crowd])

    assert Counter(answer.status for answer in answers[:20]) == {201: 1, 409: 19}
    assert {answer.refusal for answer in answers[20:]} == {(401, "UNAUTHENTICATED")}


def test_when_the_database_is_stuck_everybody_is_told_soon_and_health_answers(live: Live) -> None:
    live.stage.set_up(seats=120)
    crowd = live.crowd(60, "stuck")
    with ThreadPoolExecutor(len(crowd)) as threads, live.stage.outsider() as outsider:
        outsider.execute("LOCK TABLE booking.seats IN ACCESS EXCLUSIVE MODE")
        began = monotonic()
        jobs = [threads.submit(reserve, each, live, 2 * number) for number, each in enumerate(crowd)]
        live.stage.await_waiting(2)
        health = live.customer("nobody").call("GET", "/healthz")
        asked = monotonic() - began
        answers = [job.result(30) for job in jobs]

    assert health.status == 200
    assert asked < 5
    assert {answer.refusal for answer in answers} == {(503, "SERVICE_BUSY")}
    assert reserve(crowd[0], live, 0).status == 201


def _post(live: Live, length: str, body: bytes = b"") -> bytes:
    token = live.tokens.sign("by-hand")
    head = f"POST {BOOKINGS} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n{length}\r\n\r\n"
    return head.encode() + body


def test_a_body_without_a_length_that_is_too_long_is_refused_without_reading_on(live: Live) -> None:
    with socket.create_connection(("127.0.0.1", live.port), timeout=30) as caller:
        caller.sendall(_post(live, "Transfer-Encoding: chunked"))
        for _ in range(5):
            caller.sendall(b"4000\r\n" + b" " * 0x4000 + b"\r\n")

        answer = caller.recv(65536)

    assert answer.startswith(b"HTTP/1.1 413 ")
    assert b"PAYLOAD_TOO_LARGE" in answer
