"""Adapters by name, parts built once and late, closed in the right order."""

from collections.abc import Mapping
from typing import Any

import pytest

from booking_service.composition import AdapterFactory, Composition, find_adapter
from booking_service.setting_fields import Need, SettingsError
from booking_service.settings import Settings

FULL = Settings(
    event_bus="memory",
    catalog_url="https://c.example.com",
    jwt_issuer="https://t/",
    jwt_audience="a",
    jwt_jwks_url="https://t/k",
)


class Component:
    def __init__(self, name: str, closed: list[str]) -> None:
        self.name, self._closed = name, closed

    def close(self) -> None:
        self._closed.append(self.name)
        if self.name == "booking.event_bus":
            raise OSError("the broker is gone")


def recording(closed: list[str], built: list[str]) -> Any:
    def find(group: str, name: str) -> AdapterFactory:
        def make(settings: Mapping[str, str]) -> Component:
            built.append(f"{group} {name}")
            return Component(group, closed)

        return make

    return find


def test_adapters_are_found_by_their_names() -> None:
    with Composition(FULL, store="memory") as parts:
        assert type(parts.store).__name__ == "MemoryStore"
        assert type(parts.event_bus).__name__ == "MemoryEventBus"


def test_an_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(SettingsError, match=r"^BOOKING_EVENT_BUS: there is no .* named 'nats' \(installed: .*memory"):
        find_adapter("booking.event_bus", "nats")


def test_an_adapter_that_refuses_its_settings_is_one_line_without_secrets() -> None:
    def find(group: str, name: str) -> AdapterFactory:
        def make(settings: Mapping[str, str]) -> None:
            raise ValueError("no\nsuch thing: hunter22")

        return make

    url = "postgresql://u:hunter22@db/x"
    settings = Settings.from_environ({"BOOKING_DATABASE_URL": url}, needs={Need.DATABASE})
    with pytest.raises(SettingsError, match=r"^the store adapter refuses its settings: no such thing: \*\*\*$"):
        _ = Composition(settings, find=find).store


def test_nothing_is_built_before_it_is_asked_for_and_everything_once() -> None:
    built: list[str] = []
    parts = Composition(FULL, find=recording([], built))
    assert built == []

    seen = [parts.catalog_cache, parts.store, parts.catalog_cache.store, parts.store]

    assert seen[1] is seen[2] is seen[3]
    assert built == ["booking.store postgres", "booking.catalog rest"]


def test_without_a_url_there_is_no_catalog() -> None:
    parts = Composition(Settings(), find=recording([], []))

    assert parts.catalog is None
    assert parts.catalog_cache.catalog is None


def test_users_are_closed_before_what_they_use_and_a_failure_stops_nobody() -> None:
    closed: list[str] = []
    parts = Composition(FULL, find=recording(closed, []))
    _, _ = parts.catalog_cache, parts.event_bus

    with pytest.raises(OSError, match="gone"):
        parts.close()
    parts.close()

    assert closed == ["booking.event_bus", "booking.catalog", "booking.store"]


def test_the_service_and_its_verifier_follow_the_settings() -> None:
    parts = Composition(FULL, find=recording([], []))

    service = parts.service(pseudonym_key=b"k")

    assert (service.store, service.catalog_cache, service.pseudonym_key) == (parts.store, parts.catalog_cache, b"k")
    assert (parts.verifier.issuer, parts.verifier.audience) == ("https://t/", "a")
