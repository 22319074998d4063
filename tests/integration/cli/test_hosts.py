"""`booking serve --host`: addresses and names of both families; what cannot be listened on is one line."""

import urllib.error
import urllib.request

import pytest

from tests.support.processes import booking, free_port, running_booking, wait_until

IPV4, IPV6 = "127.0.0.1", "[::1]"


def answers(host: str, port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://{host}:{port}/healthz", timeout=10) as response:
            return bool(response.status == 200)
    except (urllib.error.URLError, ConnectionError):
        return False


@pytest.mark.parametrize(
    ("host", "reached", "not_reached"),
    [
        ("localhost", [IPV4], []),
        ("*", [IPV4, IPV6], []),
        ("::", [IPV4, IPV6], []),
        ("::1", [IPV6], [IPV4]),
        ("[::1]", [IPV6], [IPV4]),
        ("0.0.0.0", [IPV4], [IPV6]),
    ],
)
def test_it_listens_where_it_is_told(database_url: str, host: str, reached: list[str], not_reached: list[str]) -> None:
    port = free_port()
    with running_booking(database_url, "serve", "--host", host, "--port", str(port), "--workers", "1") as process:
        for address in reached:
            wait_until(lambda address=address: answers(address, port), process)  # type: ignore[misc]
        assert not any(answers(address, port) for address in not_reached)
        process.terminate()
        assert process.wait(30) == 0


@pytest.mark.parametrize("host", ["no.such.host.invalid", "a..b", "198.51.100.7", "", "::1%nowhere", "localhost:80"])
def test_what_cannot_be_listened_on_is_one_line(database_url: str, host: str) -> None:
    refused = booking(database_url, "serve", "--host", host, "--port", str(free_port()), code=1)

    assert refused.stderr.startswith(f"error: cannot listen on {host}:")
    assert len(refused.stderr.splitlines()) == 1
