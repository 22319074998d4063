"""A real Prometheus with our configuration over a real `serve`: it takes every query, and sees the first events."""

import json
import shutil
import subprocess
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import pytest
from attrs import frozen

from booking_dev.tokens import DevTokens
from tests.integration.cli.test_serve import get, jwks, serving
from tests.support.monitoring import PROMETHEUS, queries
from tests.support.processes import TOKENS, free_port, wait_until

LISTS: Final = 7
OF_LISTS: Final = 'route="/api/v1/events",status="200"'


@frozen
class Prometheus:
    port: int

    def ask(self, query: str) -> list[Mapping[str, Any]]:
        """The series of the answer. Raises HTTPError for a query that it does not take."""
        words = urllib.parse.urlencode({"query": query})
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/api/v1/query?{words}", timeout=10) as answer:
            found: list[Mapping[str, Any]] = json.load(answer)["data"]["result"]
            return found

    def value(self, query: str) -> float | None:
        """Of its one series; None if there is none, or nobody answers yet."""
        try:
            found = self.ask(query)
        except (urllib.error.URLError, ConnectionError):
            return None
        return float(found[0]["value"][1]) if found else None


@contextmanager
def prometheus(directory: Path, *, serve: int) -> Iterator[Prometheus]:
    """With the files of `deploy/prometheus`; addresses and intervals are the test's."""
    program = shutil.which("prometheus")
    if program is None:
        pytest.skip("prometheus is not installed (Debian: prometheus)")
    port = free_port()
    directory.mkdir()
    shutil.copytree(PROMETHEUS, directory / "files")
    config = directory / "files" / "prometheus.yml"
    text = config.read_text(encoding="utf-8").replace("localhost:8000", f"127.0.0.1:{serve}").replace("15s", "500ms")
    config.write_text(text, encoding="utf-8")
    command = [program, f"--config.file={config}", f"--storage.tsdb.path={directory / 'data'}"]
    with (directory / "log").open("wb") as log:
        process = subprocess.Popen([*command, f"--web.listen-address=127.0.0.1:{port}"], stdout=log, stderr=log)
    try:
        yield Prometheus(port)
    finally:
        process.kill()
        process.wait(60)


@pytest.mark.slow("scrapes of a real Prometheus")
def test_every_query_is_taken_and_the_first_requests_are_in_the_rates(database_url: str, tmp_path: Path) -> None:
    port, tokens = free_port(), DevTokens(tmp_path, TOKENS["BOOKING_JWT_ISSUER"], TOKENS["BOOKING_JWT_AUDIENCE"])
    headers = {"Authorization": f"Bearer {tokens.sign('ann')}"}
    with (
        jwks(tokens) as url,
        serving(
            database_url, port, TMPDIR=str(tmp_path), BOOKING_LOG_LEVEL="ERROR", BOOKING_JWT_JWKS_URL=url
        ) as process,
        prometheus(tmp_path / "prometheus", serve=port) as seen,
    ):
        wait_until(lambda: seen.value(f"sum(booking_http_requests_total{{{OF_LISTS}}})") == 0, process)
        for _ in range(LISTS):
            assert get(port, "/api/v1/events", headers)[0] == 200
        wait_until(lambda: seen.value(f"sum(booking_http_requests_total{{{OF_LISTS}}})") == LISTS, process)
        wait_until(lambda: seen.value("booking:http_errors:ratio_rate5m") is not None, process)

        # Prometheus stretches what it saw to the whole range: the less it saw, the further off.
        counted = seen.value(f"sum(increase(booking_http_requests_total{{{OF_LISTS}}}[5m]))")
        assert counted is not None
        assert LISTS <= counted <= 2 * LISTS
        assert seen.value("booking:http_errors:ratio_rate5m") == 0
        assert seen.value('up{job="booking-serve"}') == 1
        for query in queries():
            seen.ask(query)
