"""Figures of several processes are theirs all together, whichever of them is asked."""

import time
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from booking_dev.tokens import DevTokens
from booking_telemetry import metric_specs
from tests.integration.cli.test_serve import get, jwks, serving
from tests.support.processes import TOKENS, free_port, wait_until

LOOKS = 40


def seen(port: int) -> dict[str, float]:
    """Sums over all labels."""
    found: dict[str, float] = {}
    for family in text_string_to_metric_families(get(port, "/metrics")[1]):
        for sample in family.samples:
            found[sample.name] = found.get(sample.name, 0.0) + sample.value
    return found


def test_connections_waits_and_requests_of_two_processes(database_url: str, tmp_path: Path) -> None:
    port, tokens = free_port(), DevTokens(tmp_path, TOKENS["BOOKING_JWT_ISSUER"], TOKENS["BOOKING_JWT_AUDIENCE"])
    headers = {"Authorization": f"Bearer {tokens.sign('ann')}"}
    quiet = {"BOOKING_LOG_LEVEL": "ERROR", "TMPDIR": str(tmp_path)}
    with (
        jwks(tokens) as url,
        serving(database_url, port, **quiet, BOOKING_DB_CONNECTIONS="8", BOOKING_JWT_JWKS_URL=url) as process,
    ):
        for _ in range(LOOKS):
            assert get(port, "/api/v1/events", headers)[0] == 200
        before = seen(port)
        time.sleep(1.0)  # what a process knows of its connections is carried over by a request a second later
        wait_until(lambda: get(port, "/healthz")[0] == 200 and seen(port)[metric_specs.CONNECTIONS.name] == 8, process)
        after = seen(port)

    assert before[metric_specs.REQUESTS.name] >= LOOKS
    assert before[f"{metric_specs.QUEUE_WAITS.name}_count"] == before[metric_specs.REQUESTS.name], (
        "each came through the front"
    )
    assert 0 < after[metric_specs.CONNECTION_SECONDS.name] < 60
    assert after[metric_specs.CONNECTION_WAITS.name] >= 1, "connections were opened"
    assert after[metric_specs.CONNECTIONS_REFUSED.name] == 0
