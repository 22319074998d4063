"""What the description shows: every example keeps its own schema, and is what the code would say."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from referencing import Registry
from referencing.jsonschema import DRAFT202012

from booking_api.http.bodies import failure_body
from booking_api.http.errors import STATUS
from booking_api.openapi import examples
from booking_api.openapi.document import document
from booking_api.openapi.error_responses import example
from booking_core import BookingError
from booking_dev.samples import sample_events

_HERE = "urn:openapi"


def media(node: Any, place: str = "#") -> Iterator[tuple[str, dict[str, Any], Any]]:
    """Every schema that has examples, and each of them: of bodies, headers, parameters, and of schemas alone."""
    if isinstance(node, dict):
        schema = node.get("schema")
        if isinstance(schema, dict):
            for name, shown in node.get("examples", {}).items():
                yield f"{place}/examples/{name}", schema, shown["value"]
            if "example" in node:
                yield f"{place}/example", schema, node["example"]
        elif isinstance(node.get("examples"), list):
            for shown in node["examples"]:
                yield f"{place}/examples", node, shown
        for key, value in node.items():
            if key not in ("example", "examples"):
                yield from media(value, f"{place}/{key}")


def strictly(node: Any) -> Any:
    """The schema without room for what it does not name: a misspelled field of an example is seen."""
    if isinstance(node, dict):
        node = {key: strictly(value) for key, value in node.items()}
        if "properties" in node:
            node.setdefault("additionalProperties", False)
    return [strictly(each) for each in node] if isinstance(node, list) else node


def checker(described: dict[str, Any], schema: dict[str, Any]) -> Draft202012Validator:
    registry = Registry().with_resource(_HERE, DRAFT202012.create_resource(described))
    whole = json.loads(json.dumps(schema).replace('"#/components', f'"{_HERE}#/components'))
    return Draft202012Validator(whole, registry=registry, format_checker=Draft202012Validator.FORMAT_CHECKER)


DESCRIBED: dict[str, Any] = strictly(json.loads(json.dumps(document())))
SHOWN = list(media(DESCRIBED))


@pytest.mark.parametrize(("place", "schema", "shown"), SHOWN, ids=[place for place, _, _ in SHOWN])
def test_every_example_keeps_its_schema(place: str, schema: dict[str, Any], shown: Any) -> None:
    checker(DESCRIBED, schema).validate(shown)


def test_every_json_answer_has_an_example() -> None:
    for path, item in DESCRIBED["paths"].items():
        for method, operation in item.items():
            for status, response in operation["responses"].items():
                for kind, said in response.get("content", {}).items():
                    assert kind != "application/json" or said["examples"], (method, path, status)


def test_an_example_that_breaks_its_schema_is_noticed() -> None:
    _, schema, shown = next(each for each in SHOWN if "/post/responses/201" in each[0])

    assert checker(DESCRIBED, schema).is_valid(shown)
    assert not checker(DESCRIBED, schema).is_valid({**shown, "data": {**shown["data"], "status": "HELD"}})
    assert not checker(DESCRIBED, schema).is_valid({**shown, "data": {**shown["data"], "seat": []}})


def kinds(base: type[BookingError]) -> Iterator[type[BookingError]]:
    for kind in base.__subclasses__():
        yield kind
        yield from kinds(kind)


# The message of the other one is made of what is wrong.
SAYING = [
    each for each in kinds(BookingError) if each.code in set(STATUS) - {"VALIDATION_FAILED"} and "code" in vars(each)
]


@pytest.mark.parametrize("kind", SAYING)
def test_errors_are_shown_in_the_words_of_the_code(kind: type[BookingError]) -> None:
    shown = example(kind.code)

    assert shown == json.loads(failure_body(kind.code, kind.message, shown["error"]["details"]))


def test_what_the_page_offers_to_try_exists_in_dev() -> None:
    hall = next(each for each in sample_events(datetime.now(UTC)) if str(each.event.event_id) == examples.EVENT_ID)
    seats = {str(seat.seat_id): seat for seat in hall.seats}

    assert (hall.event.name, hall.event.currency) == (examples.EVENT["name"], examples.EVENT["currency"])
    for shown in examples.SEATS:
        seat = seats[shown["seatId"]]
        assert (seat.row, seat.number, float(seat.price)) == (shown["row"], shown["number"], shown["price"])
