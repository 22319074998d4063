"""SIGTERM and SIGHUP while reservations run in groups: each connection gets its complete response, and is stored.

How long clients wait for a connection is for `test_nothing_dropped`, where the machine has little else to do.
"""

import json
import signal
import time
from collections.abc import Callable
from itertools import cycle
from typing import Final

import pytest

from booking_dev.tokens import DevTokens
from tests.integration.cli.connection_load import ConnectionLoad
from tests.integration.http_live.test_replaced_workers import replaced, workers
from tests.support.jwks import Jwks
from tests.support.live import BOOKINGS, Live
from tests.support.postgres.stage import Stage, until

ROUNDS: Final = [
    pytest.param(1, marks=pytest.mark.slow("a stop takes seconds")),
    pytest.param(50, marks=[pytest.mark.soak, pytest.mark.timeout(3600)]),
]
_BEFORE: Final = 0.5  # seconds of load before a signal
_SEATS: Final = 4000
_CUSTOMERS: Final = 1000


def reservations(stage: Stage, tokens: DevTokens) -> Callable[[], tuple[str, bytes]]:
    """Reservations of one seat after the other, by many customers, half of them with a key."""
    stage.set_up(seats=_SEATS)
    event_id = str(stage.fixture.event.event_id)
    seats = cycle(str(seat_id) for seat_id in stage.fixture.ids(*range(_SEATS)))
    customers = cycle((n, tokens.sign(f"customer-{n}")) for n in range(_CUSTOMERS))

    def request() -> tuple[str, bytes]:
        number, token = next(customers)
        body = json.dumps({"eventId": event_id, "seatIds": [next(seats)]}).encode()
        key = f"Idempotency-Key: key-{time.monotonic_ns()}\r\n" if number % 2 else ""
        head = (
            f"POST {BOOKINGS} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n{key}"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
        )
        return head, body

    return request


def check(load: ConnectionLoad, stage: Stage, what: str) -> None:
    print(
        f"{what}: connected {len(load.connect_seconds)}, responses {dict(load.statuses)}, last answers"
        f" {load.last_answers}, dropped {load.dropped}, late {load.late}, not connected {len(load.not_connected)},"
        f" connect p99 {load.connect_p99 * 1000:.1f} ms"
    )
    assert load.dropped == []
    assert load.statuses.keys() <= {201, 409, 503}
    assert load.statuses[201] == stage.ask("SELECT count(*) FROM booking.bookings") > 0
    stage.check_books()


@pytest.mark.parametrize("rounds", ROUNDS)
def test_a_stop_with_groups_drops_no_connection(stage: Stage, tokens: DevTokens, jwks: Jwks, rounds: int) -> None:
    load = ConnectionLoad(reservations(stage, tokens))
    for _ in range(rounds):
        with Live.over(stage, tokens, jwks) as live, load.running(live.port):
            time.sleep(_BEFORE)
            until(lambda live=live: live.groups > 0, "reservations run in groups")  # type: ignore[misc]
            live.process.send_signal(signal.SIGTERM)
            assert live.process.wait(40) == 0

    check(load, stage, f"{rounds} times SIGTERM")


@pytest.mark.parametrize("rounds", ROUNDS)
def test_a_reload_with_groups_drops_no_connection(own_live: Live, rounds: int) -> None:
    load = ConnectionLoad(reservations(own_live.stage, own_live.tokens))
    with load.running(own_live.port):
        for _ in range(rounds):
            time.sleep(_BEFORE)
            before = workers(own_live)
            own_live.process.send_signal(signal.SIGHUP)
            until(replaced(own_live, before), "the workers are others")
        assert own_live.groups > 0

    check(load, own_live.stage, f"{rounds} times SIGHUP")
    assert load.not_connected == []
