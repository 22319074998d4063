"""One line per request, as loud as its answer matters."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from structlog.testing import capture_logs

from booking_core import ServiceBusy
from tests.support.api import BOOKINGS, Api

pytestmark = pytest.mark.parametrize("store", ["memory"], indirect=True)


@contextmanager
def failing_with(api: Api, error: Exception, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    def fail(*arguments: Any) -> None:
        raise error

    with monkeypatch.context() as patch:
        patch.setattr("booking_api.routes.bookings.list_bookings", lambda *a, **k: fail())
        yield


def level_of(call: Callable[[], Any]) -> tuple[int, str]:
    """Status and level of the one line that the request leaves."""
    with capture_logs() as logged:
        call()
    [line] = [each for each in logged if each["event"] == "request"]
    return line["status"], line["log_level"]


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
def test_a_probe_is_no_news(api: Api, path: str) -> None:
    assert level_of(lambda: api.get(path, user=None)) == (200, "debug")


def test_requests_are_told_and_what_is_the_callers_fault(api: Api) -> None:
    assert level_of(lambda: api.get(f"{BOOKINGS}/my")) == (200, "info")
    assert level_of(lambda: api.get(f"{BOOKINGS}/my", user=None)) == (401, "info")
    assert level_of(lambda: api.post(BOOKINGS, b"{")) == (400, "info")


def test_being_busy_is_a_warning_and_a_fault_of_ours_an_error(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    with failing_with(api, ServiceBusy(), monkeypatch):
        assert level_of(lambda: api.get(f"{BOOKINGS}/my")) == (503, "warning")
    with failing_with(api, KeyError("surprise"), monkeypatch):
        assert level_of(lambda: api.get(f"{BOOKINGS}/my")) == (500, "error")
