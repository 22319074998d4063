"""`booking serve` as its customers meet it: two processes over a PostgreSQL, spoken to through kept connections."""

import http.client
import json
import subprocess
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, Final, Self

import pytest
from attrs import define, field, frozen
from prometheus_client.parser import text_string_to_metric_families

from booking_core.contracts.store.fixture import in_parallel
from booking_dev.tokens import DevTokens
from tests.support.jwks import Jwks
from tests.support.postgres.fixtures import databases
from tests.support.postgres.stage import Stage
from tests.support.processes import free_port, running_booking, wait_until

BOOKINGS: Final = "/api/v1/bookings"
_PATIENCE_SECONDS: Final = 60.0


@frozen
class Answer:
    """What came back."""

    status: int
    body: bytes
    headers: http.client.HTTPMessage

    @property
    def data(self) -> Any:
        """What a success carries."""
        document = json.loads(self.body)
        assert document["success"] is True, document
        return document["data"]

    @property
    def refusal(self) -> tuple[int, str]:
        """Status and code."""
        document = json.loads(self.body)
        assert document["success"] is False, document
        return self.status, document["error"]["code"]

    @property
    def details(self) -> Any:
        return json.loads(self.body)["error"]["details"]


@define(eq=False)
class Customer:
    """One customer on one connection, which stays open between requests. Used by one thread at a time."""

    token: str
    port: int
    _connection: http.client.HTTPConnection = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=_PATIENCE_SECONDS)
        self._connection.connect()

    def call(self, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        """Underscores in the names of headers stand for dashes."""
        sent = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        self._connection.request(method, path, None if body is None else json.dumps(body), sent)
        response = self._connection.getresponse()
        body = response.read()
        return Answer(response.status, body, response.headers)

    def insist(self, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        """As `call`; whoever is told that the service is busy, as on a busy machine anybody may be, asks again."""
        give_up_at = time.monotonic() + _PATIENCE_SECONDS
        while (answer := self.call(method, path, body, **headers)).status == 503:
            assert answer.refusal == (503, "SERVICE_BUSY")
            assert time.monotonic() < give_up_at, "the service is busy for good"
        return answer

    def close(self) -> None:
        self._connection.close()


@define(eq=False)
class Live:
    """A running service; `stage` is its database, with the event and the seats in it."""

    stage: Stage
    tokens: DevTokens
    port: int
    process: subprocess.Popen[str]
    _customers: list[Customer] = field(factory=list, init=False)

    @classmethod
    @contextmanager
    def over(cls, stage: Stage, tokens: DevTokens, jwks: Jwks, **settings: str) -> Iterator[Self]:
        """Two processes, with these settings besides; killed at the end."""
        port = free_port()
        # Nobody reads the log meanwhile, and a full pipe stops the service: errors alone are logged.
        more = {"BOOKING_LOG_LEVEL": "ERROR", "BOOKING_JWT_JWKS_URL": jwks.url} | settings
        with running_booking(stage.url, "serve", "--port", str(port), "--workers", "2", **more) as process:
            live = cls(stage, tokens, port, process)
            try:
                wait_until(live.is_ready, process)
                yield live
            finally:
                for customer in live._customers:
                    customer.close()

    def is_ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/readyz", timeout=10) as answer:
                return bool(answer.status == 200)
        except (urllib.error.URLError, ConnectionError):
            return False

    def metric(self, name: str, **labels: str) -> float:
        """The sum of a metric over all labels that are not given, as /metrics shows it."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/metrics", timeout=30) as answer:
            text = answer.read().decode()
        return sum(
            sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
            if sample.name == name and labels.items() <= sample.labels.items()
        )

    @property
    def groups(self) -> float:
        """How many groups of reservations have ended."""
        return self.metric("booking_group_size_count")

    def deferred(self, reason: str) -> float:
        """How many members of groups went alone for this reason."""
        return self.metric("booking_group_deferred_total", reason=reason)

    def customer(self, user: str, token: str | None = None) -> Customer:
        """A new connection of this user's."""
        customer = Customer(token or self.tokens.sign(user), self.port)
        self._customers.append(customer)
        return customer

    def crowd(self, size: int, name: str) -> list[Customer]:
        """So many customers."""
        return [self.customer(f"{name}-{number}") for number in range(size)]

    def order(self, *places: int) -> dict[str, Any]:
        """The body that asks for the seats at these places."""
        return {"eventId": str(self.stage.fixture.event.event_id), "seatIds": self.seats(*places)}

    def seats(self, *places: int) -> list[str]:
        return [str(seat_id) for seat_id in self.stage.fixture.ids(*places)]

    def stop(self) -> None:
        """End it as an operator does."""
        self.process.terminate()
        assert self.process.wait(30) == 0


@contextmanager
def at_work(job: Callable[[], None], over: threading.Event, threads: int) -> Iterator[None]:
    """While the block runs, so many do the job, which ends when `over` is set. What any of them raises is raised."""
    with ThreadPoolExecutor(threads) as pool:
        jobs = [pool.submit(job) for _ in range(threads)]
        try:
            yield
        finally:
            over.set()
        for each in jobs:
            each.result()


def together(requests: Sequence[Callable[[], Answer]]) -> list[Answer]:
    """All of them at the same moment; the answers in the order of the requests."""
    answers = [outcome for outcome in in_parallel(requests) if isinstance(outcome, Answer)]
    assert len(answers) == len(requests)
    return answers


@pytest.fixture(scope="module")
def live(postgres_url: str, postgres_template: str, tokens: DevTokens, jwks: Jwks) -> Iterator[Live]:
    """A service that the tests of a file share: each of them has an event and users of its own."""
    with (
        databases(postgres_url) as create,
        Stage.at(create(template=postgres_template)) as stage,
        Live.over(stage, tokens, jwks) as live,
    ):
        yield live


@pytest.fixture
def own_live(stage: Stage, tokens: DevTokens, jwks: Jwks) -> Iterator[Live]:
    """A service that this test alone calls, and may stop."""
    with Live.over(stage, tokens, jwks) as live:
        yield live
