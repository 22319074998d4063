"""Tokens of unknown keys while the JWKS takes its time: customers whose keys are known do not notice."""

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from time import monotonic

import pytest

from booking_dev.tokens import DevTokens
from tests.support.jwks import Jwks
from tests.support.live import BOOKINGS, Answer, Customer, Live
from tests.support.postgres.stage import Stage, until
from tests.support.processes import TOKENS

_CROWD = 60
_NOTICED_SECONDS = 0.8  # less than a thread that waits for the JWKS would wait; the machine may be busy


@pytest.fixture
def slow(tokens: DevTokens) -> Iterator[Jwks]:
    server = Jwks()
    server.publish(tokens)
    yield server
    server.stop()


def look(customer: Customer) -> Answer:
    return customer.call("GET", f"{BOOKINGS}/my")


def test_sixty_unknown_keys_hold_nobody_up(
    stage: Stage, tokens: DevTokens, slow: Jwks, tmp_path_factory: pytest.TempPathFactory
) -> None:
    forger = DevTokens(tmp_path_factory.mktemp("forger"), TOKENS["BOOKING_JWT_ISSUER"], TOKENS["BOOKING_JWT_AUDIENCE"])
    with Live.over(stage, tokens, slow) as live:
        known = [live.customer("known") for _ in range(8)]  # of both processes, most likely
        assert {look(each).status for each in known} == {200}
        forged = [live.customer("x", token=forger.sign(f"forged-{number}")) for number in range(_CROWD)]
        before = slow.fetches
        slow.gate.clear()
        with ThreadPoolExecutor(_CROWD) as threads:
            jobs = [threads.submit(look, each) for each in forged]
            until(lambda: slow.fetches > before, "the keys are asked for")
            took = []
            for each in known:
                began = monotonic()
                assert look(each).status == 200
                took.append(monotonic() - began)
            answers = [job.result() for job in jobs]
        slow.gate.set()

        assert Counter(answer.refusal for answer in answers) == {(503, "SERVICE_BUSY"): _CROWD}
        assert {answer.headers["Retry-After"] for answer in answers} == {"1"}
        assert max(took) < _NOTICED_SECONDS
        until(lambda: look(forged[0]).refusal == (401, "UNAUTHENTICATED"), "the keys are there")
