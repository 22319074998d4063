"""SIGHUP under load: the workers are replaced one after the other, and no customer loses a request by it.

On a connection that was kept a request may meet its end, which HTTP allows between two requests; then nothing of it was
done, and it is safe to repeat.
"""

import http.client
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from itertools import count
from pathlib import Path
from typing import Final
from uuid import UUID

import pytest
from attrs import define, field

from tests.support.live import BOOKINGS, Answer, Customer, Live, at_work
from tests.support.postgres.stage import until

_CALLERS: Final = 12
_DONE_BETWEEN: Final = 50


@define(eq=False)
class Load:
    """Customers who look at a booking, each on a new connection every time; `failed` says what they met instead."""

    live: Live
    path: str
    over: threading.Event = field(factory=threading.Event)
    read: int = 0
    failed: list[str] = field(factory=list)

    def should_continue(self, token: str) -> None:
        headers = {"Authorization": f"Bearer {token}", "Connection": "close"}
        while not self.over.is_set():
            connection = http.client.HTTPConnection("127.0.0.1", self.live.port, timeout=30)
            try:
                connection.request("GET", self.path, headers=headers)
                answer = connection.getresponse()
                body = answer.read()
                if answer.status == 200:
                    self.read += 1
                else:
                    self.failed.append(f"{answer.status} {body!r}")
            except (http.client.HTTPException, OSError) as error:
                self.failed.append(repr(error))
            finally:
                connection.close()


@contextmanager
def load(live: Live, callers: int) -> Iterator[Load]:
    """So many look until the block ends."""
    ann = live.customer("ann")
    made = ann.call("POST", BOOKINGS, live.order(0)).data
    running = Load(live, f"{BOOKINGS}/{made['bookingId']}")
    with at_work(partial(running.should_continue, ann.token), running.over, callers):
        yield running


def workers(live: Live) -> set[str]:
    """The processes that serve."""
    children = Path(f"/proc/{live.process.pid}/task/{live.process.pid}/children").read_text().split()
    return {pid for pid in children if "resource_tracker" not in Path(f"/proc/{pid}/cmdline").read_text()}


def replaced(live: Live, before: set[str]) -> Callable[[], bool]:
    def all_of_them() -> bool:
        try:
            now = workers(live)
        except (FileNotFoundError, ProcessLookupError):  # it ended while we looked
            return False
        return len(now) == len(before) and not now & before

    return all_of_them


def replace_all(live: Live, done: Callable[[], int]) -> None:
    """Every worker, and some work afterwards."""
    before = workers(live)
    live.process.send_signal(signal.SIGHUP)
    until(replaced(live, before), "the workers are others")
    sofar = done()
    until(lambda: done() >= sofar + _DONE_BETWEEN, "they work")


@pytest.mark.parametrize("rounds", [2, pytest.param(20, marks=pytest.mark.soak)])
def test_nobody_who_comes_anew_is_refused_or_dropped(own_live: Live, rounds: int) -> None:
    with load(own_live, _CALLERS) as running:
        for _ in range(rounds):
            replace_all(own_live, lambda: running.read)

    assert running.failed == []
    assert running.read > rounds * _DONE_BETWEEN


@define(eq=False)
class Reservations:
    """Customers who reserve one seat after the other on connections that stay open: what was made, what was lost."""

    live: Live
    over: threading.Event = field(factory=threading.Event)
    made: list[UUID] = field(factory=list)
    lost: list[str] = field(factory=list)
    others: list[Answer] = field(factory=list)
    _places: Iterator[int] = field(factory=count)

    def should_continue(self) -> None:
        customer = Customer("", self.live.port)
        while not self.over.is_set():
            place = next(self._places)
            customer.token = self.live.tokens.sign(f"kept-{place}")
            try:
                answer = customer.call("POST", BOOKINGS, self.live.order(place))
            except (http.client.HTTPException, OSError) as error:
                # Ended by the service between two requests, as HTTP allows: it must not have begun this one.
                self.lost.append(repr(error))
                customer.close()
                customer = Customer("", self.live.port)
                continue
            if answer.status == 201:
                self.made.append(UUID(answer.data["bookingId"]))
            else:
                self.others.append(answer)
        customer.close()


def test_of_those_on_kept_connections_nobody_is_lost_who_was_heard(own_live: Live) -> None:
    own_live.stage.set_up(seats=8000)
    running = Reservations(own_live)
    with at_work(running.should_continue, running.over, _CALLERS):
        for _ in range(2):
            replace_all(own_live, lambda: len(running.made))

    # Each of them finds its connection ended at most once by each worker.
    assert len(running.lost) <= 2 * 2 * _CALLERS
    assert {answer.refusal for answer in running.others} <= {(503, "SERVICE_BUSY")}
    stored = own_live.stage.door.execute("SELECT booking_id FROM booking.bookings").fetchall()
    assert {row[0] for row in stored} == set(running.made)
