"""The description names every route, every parameter and every error code of the code, and no others."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask
from msgspec import Struct
from msgspec.json import schema_components
from openapi_spec_validator import OpenAPIV31SpecValidator
from werkzeug.routing import Rule

from booking_api.app import create_app
from booking_api.auth.keys import FixedKeys
from booking_api.auth.verifier import TokenVerifier
from booking_api.http.bodies import CancelEventBody, CreateBooking, VerifyTicketBody
from booking_api.http.errors import STATUS
from booking_api.openapi.document import document
from booking_api.openapi.error_responses import WHEN
from booking_api.service import Service
from booking_core import CatalogCache
from booking_memory.adapter import create_store

# Every GET answers HEAD as well (RFC 9110 §9.1); the text of the document says so.
_IMPLIED = {"HEAD"}


@pytest.fixture(scope="module")
def described() -> dict[str, Any]:
    """As a reader gets it."""
    parsed: dict[str, Any] = json.loads(json.dumps(document()))
    return parsed


def an_app() -> Flask:
    store = create_store({})
    verifier = TokenVerifier(issuer="https://t.example.com/", audience="booking", keys=FixedKeys({"keys": []}))
    return create_app(Service(store=store, catalog_cache=CatalogCache(store=store, catalog=None)), verifier)


def operations(described: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, item in described["paths"].items():
        for method, operation in item.items():
            yield method.upper(), path, operation


def template(rule: Rule) -> str:
    """The rule as the document writes paths."""
    return re.sub("<(.+?)>", lambda name: "{" + re.sub("_(.)", lambda each: each[1].upper(), name[1]) + "}", rule.rule)


def codes_of(response: dict[str, Any]) -> set[str]:
    said = response.get("content", {}).get("application/json", {}).get("examples", {})
    return {value["value"]["error"]["code"] for value in said.values() if "error" in value["value"]}


def test_it_is_valid_openapi(described: dict[str, Any]) -> None:
    assert [str(error) for error in OpenAPIV31SpecValidator(described).iter_errors()] == []


def test_every_route_is_described_and_nothing_else(described: dict[str, Any]) -> None:
    routes = {
        (method, template(rule), rule.endpoint)
        for rule in an_app().url_map.iter_rules()
        for method in (rule.methods or set()) - _IMPLIED
    }

    assert {(method, path, each["operationId"]) for method, path, each in operations(described)} == routes


def test_every_code_is_described_with_its_status_and_no_other(described: dict[str, Any]) -> None:
    found = {
        (code, int(status))
        for _, _, operation in operations(described)
        for status, response in operation["responses"].items()
        for code in codes_of(response)
    }
    elsewhere = {code for each in described["components"]["responses"].values() for code in codes_of(each)}

    assert found | {(code, STATUS[code]) for code in elsewhere} == set(STATUS.items())
    assert set(STATUS) - {code for code, _ in found} == {"METHOD_NOT_ALLOWED"}
    assert list(WHEN) == list(STATUS)
    assert all(f"| `{code}` | {status} |" in described["info"]["description"] for code, status in STATUS.items())


def test_a_code_without_a_description_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("booking_api.openapi.error_responses.STATUS", {**STATUS, "TOO_LATE": 409})

    with pytest.raises(KeyError, match="TOO_LATE"):
        document()


def test_every_path_parameter_is_described(described: dict[str, Any]) -> None:
    shared = described["components"]["parameters"]
    for _, path, operation in operations(described):
        said = [shared[each["$ref"].rpartition("/")[2]] if "$ref" in each else each for each in operation["parameters"]]

        assert {each["name"] for each in said if each["in"] == "path"} == set(re.findall("{(.+?)}", path))


def test_a_token_is_asked_for_under_api_alone(described: dict[str, Any]) -> None:
    for _, path, operation in operations(described):
        assert bool(operation["security"]) is path.startswith("/api/")
        assert ("401" in operation["responses"]) is path.startswith("/api/")


def test_every_component_is_used(described: dict[str, Any]) -> None:
    used = set(re.findall(r'"#/components/(\w+)/([\w.-]+)"', json.dumps(described)))

    assert used == {
        (kind, name) for kind in ("schemas", "headers", "parameters") for name in described["components"][kind]
    }


def test_links_lead_to_operations_and_their_parameters(described: dict[str, Any]) -> None:
    known = {each["operationId"]: path for _, path, each in operations(described)}
    links = [
        link
        for _, _, operation in operations(described)
        for response in operation["responses"].values()
        for link in response.get("links", {}).values()
    ]

    assert {link["operationId"] for link in links} >= {"get_booking", "cancel_booking", "ticket_svg", "list_seats"}
    for link in links:
        assert set(link.get("parameters", {})) == set(re.findall("{(.+?)}", known[link["operationId"]]))


BODIES = {"NewBooking": CreateBooking, "EventCancellation": CancelEventBody, "ScannedTicket": VerifyTicketBody}


@pytest.mark.parametrize(("name", "kind"), BODIES.items())
def test_a_body_is_described_as_it_is_decoded(described: dict[str, Any], name: str, kind: type[Struct]) -> None:
    """The description adds limits that are checked after decoding, and never another field or type."""
    shown = described["components"]["schemas"][name]
    [decoded] = schema_components([kind], ref_template="{name}")[1].values()

    assert shown["required"] == decoded["required"]
    assert shown["additionalProperties"] is decoded["additionalProperties"] is False
    assert list(shown["properties"]) == list(decoded["properties"])
    for field, schema in decoded["properties"].items():
        assert types_in(shown["properties"][field]) == types_in(schema)


def test_every_request_body_is_one_of_these(described: dict[str, Any]) -> None:
    bodies = {
        each["requestBody"]["content"]["application/json"]["schema"]["$ref"].rpartition("/")[2]
        for _, _, each in operations(described)
        if "requestBody" in each
    }

    assert bodies == set(BODIES)


def types_in(schema: dict[str, Any]) -> tuple[str, str | None, Any]:
    """The type of a value and of its items, with the format."""
    return schema["type"], schema.get("format"), types_in(schema["items"]) if "items" in schema else None
