"""Invalid settings of the client; making a client connects to nothing."""

import socket

import pytest

from booking_catalog.client import RestCatalog, create
from booking_core.domain.errors import InvalidValue

WRONG = [
    "catalog",
    "ftp://catalog",
    "http://",
    "http://catalog:99999",
    "http://catalog:0",
    "http://[::1",
    "http://catalog?x=1",
    "http://catalog#x",
    "http://cata\nlog",
]


@pytest.mark.parametrize("url", WRONG)
def test_invalid_url_is_rejected_by_setting_name_without_the_url(url: str) -> None:
    with pytest.raises(InvalidValue, match=r"^BOOKING_CATALOG_URL must be an http or https URL") as caught:
        create({"BOOKING_CATALOG_URL": url})
    assert "cata" not in str(caught.value)


@pytest.mark.parametrize("settings", [{}, {"BOOKING_CATALOG_URL": ""}])
def test_a_missing_url_is_named(settings: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BOOKING_CATALOG_URL", "http://catalog")
    with pytest.raises(InvalidValue, match=r"^BOOKING_CATALOG_URL must be set"):
        create(settings)


@pytest.mark.parametrize("name", ["timeout_seconds", "attempts", "breaker_threshold"])
def test_settings_that_could_never_work_are_refused(name: str) -> None:
    with pytest.raises(InvalidValue, match=name):
        RestCatalog("http://catalog", **{name: 0})


def test_making_and_closing_one_opens_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden(*_: object, **__: object) -> None:
        raise AssertionError("opened something")

    monkeypatch.setattr(socket, "socket", forbidden)
    monkeypatch.setattr(socket, "getaddrinfo", forbidden)
    catalog = RestCatalog("https://catalog.example/base/")
    assert catalog.breaker_state == "closed"
    catalog.close()
    catalog.close()
