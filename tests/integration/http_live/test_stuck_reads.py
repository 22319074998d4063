"""A table that somebody has locked: whoever looks is told soon to come again, and the operator is told why."""

import json
from concurrent.futures import ThreadPoolExecutor
from time import monotonic
from typing import Any, Final

import pytest

from booking_dev.tokens import DevTokens
from tests.support.jwks import Jwks
from tests.support.live import BOOKINGS, Live
from tests.support.postgres.stage import Stage

_SOON: Final = 1.0 + 1.5  # the wait, and what the machine takes
_ROUTES: Final = (f"{BOOKINGS}/<booking_id>", f"{BOOKINGS}/my")


@pytest.fixture
def logged(stage: Stage, tokens: DevTokens, jwks: Jwks) -> Any:
    """A service that says what it warns of."""
    return Live.over(stage, tokens, jwks, BOOKING_LOG_LEVEL="WARNING")


def test_reads_are_busy_after_a_second_and_that_is_counted_and_logged(logged: Any) -> None:
    with logged as live:
        ann = live.customer("ann")
        made = ann.call("POST", BOOKINGS, live.order(0)).data
        paths = [f"{BOOKINGS}/{made['bookingId']}", f"{BOOKINGS}/my"]
        callers = [live.customer("ann") for _ in paths]
        with live.stage.outsider() as outsider, ThreadPoolExecutor(2) as threads:
            outsider.execute("LOCK TABLE booking.bookings IN ACCESS EXCLUSIVE MODE")
            began = monotonic()
            jobs = [threads.submit(each.call, "GET", path) for each, path in zip(callers, paths, strict=True)]
            answers = [job.result() for job in jobs]
            took = monotonic() - began
        afterwards = [ann.call("GET", path).status for path in paths]
        counted = ann.call("GET", "/metrics").body.decode()
        live.process.terminate()
        logged_lines = [json.loads(line) for line in live.process.communicate(timeout=60)[1].splitlines()]

    assert took < _SOON
    for answer in answers:
        assert answer.refusal == (503, "SERVICE_BUSY")
        assert answer.headers["Retry-After"] == "1"
    assert afterwards == [200, 200]
    for route in _ROUTES:
        sample = 'booking_http_requests_total{code="SERVICE_BUSY",method="GET",route="%s",status="503"} 1.0'
        assert sample % route in counted
    told = {line["route"]: line["reason"] for line in logged_lines if line["event"] == "request"}
    assert sorted(told) == sorted(_ROUTES)
    assert all("LockWaitTooLong" in reason for reason in told.values())
