"""How much of a request's head the server reads."""

import http.client

import pytest

from tests.support.live import BOOKINGS, Live


def test_a_head_of_40_kb_is_read(live: Live) -> None:
    ann = live.customer("ann")

    assert ann.call("GET", f"{BOOKINGS}/my", Cookie="c" * 40_000).status == 200


@pytest.mark.parametrize("name", ["Cookie", "Authorization", "X-Correlation-Id"])
def test_a_head_of_300_kb_is_refused_and_the_server_lives_on(live: Live, name: str) -> None:
    for _ in range(20):
        connection = http.client.HTTPConnection("127.0.0.1", live.port, timeout=20)
        try:
            connection.request("GET", "/healthz", headers={name: "c" * 300_000})
            assert connection.getresponse().status in (400, 431)
        except (ConnectionError, http.client.RemoteDisconnected):
            pass  # closed while we were still talking: as good
        finally:
            connection.close()

    assert live.process.poll() is None
    assert live.customer("ann").call("GET", f"{BOOKINGS}/my").status == 200
