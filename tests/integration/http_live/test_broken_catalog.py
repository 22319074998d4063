"""One event's slow or broken Catalog: the customers of other events do not notice, and its own are told soon."""

import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final
from uuid import uuid4

import pytest
from attrs import define, field

from booking_dev.tokens import DevTokens
from tests.support.catalog_server import Answer, CatalogServer, Handler, reply, running, says
from tests.support.jwks import Jwks
from tests.support.live import BOOKINGS, Customer, Live
from tests.support.postgres.stage import Stage

WARM, BROKEN = str(uuid4()), str(uuid4())
SEATS: Final = [{"seatId": str(uuid4()), "row": "A", "number": n, "price": 75} for n in range(200)]
ROUNDS: Final = 3
SECONDS: Final = 1.0
BUYERS: Final = 4
CROWD: Final = 30
# Below this, the machine decides and not the service.
SHORTEST_P95_SECONDS: Final = 0.02
# Of a customer who is told to try again, and tries sooner than told.
PAUSE_SECONDS: Final = 0.1


def event_json(event_id: str, **changes: Any) -> dict[str, Any]:
    event = {"eventId": event_id, "name": "Aida", "startsAt": "2031-01-01T19:00:00Z", "status": "ON_SALE"}
    return {**event, "currency": "USD", **changes}


def slowly(seconds: float, answer: Answer) -> Answer:
    def late(handler: Handler) -> None:
        handler.server.over.wait(seconds)
        answer(handler)

    return late


@define
class Catalog:
    """Has the warm event; every other is answered by `other`."""

    other: Answer = field(factory=lambda: reply(404))

    def __call__(self, handler: Handler) -> None:
        if WARM not in handler.path:
            self.other(handler)
        elif "/seats" in handler.path:
            says(SEATS)(handler)
        else:
            says(event_json(WARM))(handler)


@pytest.fixture
def catalog() -> Iterator[tuple[Catalog, CatalogServer]]:
    with running() as server:
        server.answer = catalog = Catalog()
        yield catalog, server


@pytest.fixture
def live(stage: Stage, tokens: DevTokens, jwks: Jwks, catalog: tuple[Catalog, CatalogServer]) -> Iterator[Live]:
    with Live.over(stage, tokens, jwks, BOOKING_CATALOG_URL=catalog[1].url) as live:
        yield live


BROKEN_ANSWERS: Final[dict[str, Answer]] = {
    "wrong": says({"eventId": BROKEN, "name": None}),
    "500": reply(500),
    "slow and wrong": slowly(0.15, says({"eventId": BROKEN, "name": None})),
    "slow": slowly(1.0, reply(404)),
    "silent": slowly(30.0, reply(404)),
}


@pytest.mark.slow("calm and storm, each for seconds")
@pytest.mark.parametrize(
    ("ids", "answer"),
    [*(("one", answer) for answer in BROKEN_ANSWERS), *(("made up", answer) for answer in ("wrong", "slow", "silent"))],
)
def test_others_do_not_notice(live: Live, catalog: tuple[Catalog, CatalogServer], ids: str, answer: str) -> None:
    catalog[0].other = BROKEN_ANSWERS[answer]
    buyers = live.crowd(BUYERS, "buyer")
    assert len(buyers[0].call("GET", f"/api/v1/events/{WARM}/seats").data["seats"]) == len(SEATS)
    buy_for(buyers, 1.0)

    over, storming = threading.Event(), threading.Event()

    def insist(customer: Customer) -> list[tuple[int, str, float]]:
        answers: list[tuple[int, str, float]] = []
        while not over.is_set():
            if not storming.wait(0.05):
                continue
            event_id = BROKEN if ids == "one" else str(uuid4())
            began = time.monotonic()
            if len(answers) % 2:
                got = customer.call("GET", f"/api/v1/events/{event_id}/seats")
            else:
                got = customer.call("POST", BOOKINGS, {"eventId": event_id, "seatIds": [str(uuid4())]})
            answers.append((*got.refusal, time.monotonic() - began))
            over.wait(PAUSE_SECONDS)
        return answers

    calm, storm = list[tuple[int, float]](), list[tuple[int, float]]()
    with ThreadPoolExecutor(CROWD) as pool:
        jobs = [pool.submit(insist, customer) for customer in live.crowd(CROWD, "crowd")]
        try:
            # In turns, so that both meet what else the machine does.
            for _ in range(ROUNDS):
                storming.clear()
                time.sleep(0.3)
                calm += buy_for(buyers, SECONDS)
                storming.set()
                time.sleep(0.3)
                storm += buy_for(buyers, SECONDS)
        finally:
            over.set()
        answers = [each for job in jobs for each in job.result()]

    assert {each[:2] for each in answers} <= {(503, "CATALOG_UNAVAILABLE"), (404, "EVENT_NOT_FOUND")}
    times = sorted(each[2] for each in answers)
    assert times[len(times) // 2] < 0.5, "most are told at once"
    assert refused(calm) == 0
    assert refused(storm) <= len(storm) / 100
    assert p95(storm) <= 2 * max(p95(calm), SHORTEST_P95_SECONDS)


def buy_for(buyers: Sequence[Customer], seconds: float) -> list[tuple[int, float]]:
    """Each reserves seats of the warm event and cancels, again and again; the statuses, and how long each took."""
    ends = time.monotonic() + seconds

    def buy(place: int) -> list[tuple[int, float]]:
        seats, done = SEATS[place :: len(buyers)], list[tuple[int, float]]()
        while time.monotonic() < ends:
            began = time.monotonic()
            seat = seats[len(done) % len(seats)]
            answer = buyers[place].call("POST", BOOKINGS, {"eventId": WARM, "seatIds": [seat["seatId"]]})
            done.append((answer.status, time.monotonic() - began))
            if answer.status == 201:
                buyers[place].insist("DELETE", f"{BOOKINGS}/{answer.data['bookingId']}")
            time.sleep(0.01)
        return done

    with ThreadPoolExecutor(len(buyers)) as pool:
        outcomes = [each for done in pool.map(buy, range(len(buyers))) for each in done]
    assert {status for status, _ in outcomes} <= {201, 503}
    return outcomes


def refused(outcomes: Sequence[tuple[int, float]]) -> int:
    return sum(status == 503 for status, _ in outcomes)


def p95(outcomes: Sequence[tuple[int, float]]) -> float:
    return sorted(took for _, took in outcomes)[int(len(outcomes) * 0.95)]
