"""Requests made up from the description, thousands of them: every answer is one that the description names."""

import os
from collections import Counter
from pathlib import Path
from random import Random

import pytest

from tests.integration.openapi.scene import ADMIN, CUSTOMER, Scene
from tests.integration.openapi.wild import Run, Wild
from tests.support.live import Live

_SECONDS = 600
_LEAST_CASES = 5000
# Else it was not the API that was tried, but its door.
_MET = {
    *("create_booking 201", "create_booking 409 SEAT_ALREADY_RESERVED", "create_booking 409 PENDING_LIMIT_REACHED"),
    *(
        "create_booking 404 EVENT_NOT_FOUND",
        "create_booking 404 SEAT_NOT_FOUND",
        "create_booking 400 VALIDATION_FAILED",
    ),
    *("create_booking 401 UNAUTHENTICATED", "create_booking 422 IDEMPOTENCY_KEY_REUSED"),
    *(
        "get_booking 200",
        "get_booking 404 BOOKING_NOT_FOUND",
        "list_bookings 200",
        "list_bookings 400 VALIDATION_FAILED",
    ),
    *("cancel_booking 200", "cancel_booking 409 PAYMENT_IN_PROGRESS", "cancel_booking 409 BOOKING_NOT_CANCELLABLE"),
    *("ticket_svg 200", "ticket_png 200", "ticket_png 409 TICKET_NOT_AVAILABLE"),
    *("verify_ticket 200", "verify_ticket 403 FORBIDDEN", "verify_ticket 400 VALIDATION_FAILED"),
    *("list_events 200", "get_event 200", "get_event 404 EVENT_NOT_FOUND", "list_seats 200"),
    *("cancel_event 202", "cancel_event 403 FORBIDDEN", "cancel_event 400 VALIDATION_FAILED"),
    *("healthz 200", "readyz 200", "metrics 200", "openapi 200", "openapi 304", "docs 200", "docs_asset 200"),
}


@pytest.mark.timeout(_SECONDS + 60)
@pytest.mark.parametrize("times", [1, pytest.param(10, marks=[pytest.mark.soak, pytest.mark.timeout(6000)])])
def test_every_answer_is_one_that_is_described(live: Live, scene: Scene, tmp_path: Path, times: int) -> None:
    """No 5xx (so no SERVICE_BUSY), no code, field, header or content type that is not described, no refusal of what is
    well-formed and no success for what is not."""
    seed = int(os.environ.get("BOOKING_TEST_SEED", 0)) or Random().getrandbits(32)
    print(f"BOOKING_TEST_SEED={seed}")
    tokens = {
        "customer": live.tokens.sign(CUSTOMER),
        "administrator": live.tokens.sign(ADMIN, ["booking:admin", "booking:verify"]),
    }
    url = f"http://127.0.0.1:{live.port}"
    runs = [
        Wild.start(
            Run(url=url, token=token, seed=seed + number, examples=175 * times, scenarios=40 * times),
            scene,
            tmp_path / name,
        )
        for number, (name, token) in enumerate(tokens.items())
    ]
    try:
        codes = [run.process.wait(_SECONDS * times) for run in runs]
    finally:
        for run in runs:
            run.process.kill()
            run.process.wait(60)

    assert codes == [0, 0], "\n".join(run.said for run in runs)
    assert sum(run.cases for run in runs) >= _LEAST_CASES * times
    met = sum((run.answers for run in runs), Counter())
    # Chance decides which of them are met.
    assert len(_MET - set(met)) <= len(_MET) // 10, met
    assert live.process.poll() is None
