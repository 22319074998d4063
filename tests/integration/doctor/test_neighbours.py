"""Each trouble of the issuer's keys and of the Catalog, made for real."""

import json
from uuid import uuid4

import pytest
from attrs import evolve

from booking_catalog.client import MAX_HALL_BYTES
from booking_service.doctor.components import Component
from tests.integration.doctor.examining import examined, grades
from tests.support.catalog_server import Handler, drip, reply, running, says
from tests.support.jwks import Jwks
from tests.support.postgres.stage import Stage
from tests.support.processes import TOKENS, free_port

EC_KEY = {"kty": "EC", "kid": "e", "crv": "P-256", "x": "AA", "y": "AA"}


def issuer(jwks: Jwks, **more: str) -> dict[str, str]:
    return TOKENS | {"BOOKING_JWT_JWKS_URL": jwks.url, **more}


class TestKeys:
    def test_all_is_well(self, jwks: Jwks) -> None:
        found = examined(Component.TOKENS, issuer(jwks))

        assert grades(found) == {"jwks": "ok"}
        assert found["jwks"].found == f"1 usable key at {jwks.url}"

    @pytest.mark.parametrize(
        ("status", "body", "told"),
        [
            (404, b"", "cannot be read: .*404"),
            (500, b"", "cannot be read: .*500"),
            (200, b"<html>", "cannot be read: .*"),
            (200, b'{"keys": 7}', "answers with what is no JWKS: "),
            (404, b"", "the keys of https://t.example.com/: "),
            (200, json.dumps({"keys": [EC_KEY]}).encode(), "has no key that can be used: RS256"),
            (200, b'{"keys": []}', "has no key that can be used: RS256"),
        ],
    )
    def test_keys_that_cannot_be_had(self, jwks: Jwks, status: int, body: bytes, told: str) -> None:
        jwks.status, jwks.body = status, body

        found = examined(Component.TOKENS, issuer(jwks))["jwks"]

        assert found.grade.value == "trouble"
        assert told.partition(".*")[0] in found.found
        assert told.rpartition(".*")[2] in found.found

    def test_nobody_there(self) -> None:
        found = examined(Component.TOKENS, TOKENS | {"BOOKING_JWT_JWKS_URL": f"http://127.0.0.1:{free_port()}/keys"})

        assert grades(found) == {"jwks": "trouble"}
        assert "refused" in found["jwks"].found

    def test_a_slow_answer_is_given_up_in_time(self, jwks: Jwks) -> None:
        jwks.gate.clear()

        found = examined(Component.TOKENS, issuer(jwks), timeout=6.0)

        assert grades(found) == {"jwks": "trouble"}
        assert "timed out" in found["jwks"].found

    def test_auth0_writes_a_slash(self, jwks: Jwks) -> None:
        found = examined(Component.TOKENS, issuer(jwks, BOOKING_JWT_ISSUER="https://tenant.eu.auth0.com"))

        assert grades(found) == {"jwks": "ok", "issuer": "warning"}
        assert "BOOKING_JWT_ISSUER to https://tenant.eu.auth0.com/" in found["issuer"].advice


class TestCatalog:
    def test_an_unknown_event_is_all_that_is_asked_for(self) -> None:
        with running() as server:
            server.answer = reply(404)
            found = examined(Component.CATALOG, {"BOOKING_CATALOG_URL": server.url})

        assert grades(found) == {"catalog": "ok"}
        assert found["catalog"].found.endswith("breaker closed")
        assert server.paths == ["/api/v1/events/00000000-0000-0000-0000-000000000000"]

    def test_an_event_beyond_a_limit_is_named_with_what_to_do(self, stage: Stage) -> None:
        event = evolve(stage.fixture.event, event_id=uuid4())
        with stage.store.unit_of_work() as uow:
            uow.events.put(event, ages=True, complete=False)
            uow.commit()
        written = {"eventId": str(event.event_id), "name": "", "startsAt": "2031-01-01T00:00:00Z", "currency": "USD"}

        def answer(handler: Handler) -> None:
            if handler.path.endswith("/seats"):
                drip(b"HTTP/1.1 200 OK\r\n\r\n" + b" " * (MAX_HALL_BYTES + 1), b"")(handler)
            elif str(event.event_id) in handler.path:
                says({**written, "status": "ON_SALE"})(handler)
            else:
                reply(404)(handler)

        with running() as server:
            server.answer = answer
            environ = {"BOOKING_CATALOG_URL": server.url, "BOOKING_DATABASE_URL": stage.url}
            found = examined(Component.CATALOG, environ)
            server.answer = reply(404)
            sound = examined(Component.CATALOG, environ)

        assert grades(found) == {"catalog": "ok", "catalog events": "trouble"}
        assert f"event {event.event_id} cannot be read: " in found["catalog events"].found
        assert "the limit MAX_HALL_BYTES: let the Catalog Service leave out fields" in found["catalog events"].found
        assert f"booking catalog sync {event.event_id}" in found["catalog events"].advice
        assert grades(sound) == {"catalog": "ok"}

    @pytest.mark.parametrize(
        ("status", "body", "told"),
        [
            (500, "", "status 500; breaker closed"),
            (200, "<html>", "breaker closed"),
            (302, "", "status 302; breaker closed"),
        ],
    )
    def test_answers_that_are_none(self, status: int, body: str, told: str) -> None:
        with running() as server:
            server.answer = reply(status, body)
            found = examined(Component.CATALOG, {"BOOKING_CATALOG_URL": server.url})["catalog"]

        assert found.grade.value == "trouble"
        assert told in found.found
        assert "BOOKING_CATALOG_URL" in found.advice

    def test_nobody_there(self) -> None:
        url = f"http://user:cat-secret@127.0.0.1:{free_port()}"

        found = examined(Component.CATALOG, {"BOOKING_CATALOG_URL": url})

        assert grades(found) == {"catalog": "trouble"}
        assert "Connection refused" in found["catalog"].found
        assert "cat-secret" not in str(found)

    def test_silence_is_given_up_in_time(self) -> None:
        with running() as server:
            server.answer = lambda handler: server.over.wait(30)  # type: ignore[assignment]
            try:
                found = examined(Component.CATALOG, {"BOOKING_CATALOG_URL": server.url})
            finally:
                server.over.set()

        assert grades(found) == {"catalog": "trouble"}
        assert "no answer in time" in found["catalog"].found
