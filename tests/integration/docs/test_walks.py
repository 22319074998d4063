"""The tutorials and guides, line by line, on a demo of their own."""

import json
import subprocess
import sys
from collections.abc import Mapping
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from referencing import Registry, Resource

from booking_api.openapi.document import document
from booking_api.openapi.error_responses import schema_name
from tests.integration.docs.conftest import Desk
from tests.integration.docs.pages import blocks, compare, steps, text_of
from tests.support.dev import environment

WALKED = ["tutorial/first-booking.md", "how-to/connect-auth0.md", "how-to/upgrade.md"]


@pytest.mark.parametrize("page", WALKED)
def test_a_page_prints_what_it_promises(desk: Desk, page: str) -> None:
    walked = steps(text_of(page))

    assert any(step.promised for step in walked)
    desk.walk(walked)


def test_the_library_prints_what_the_tutorial_promises() -> None:
    page = text_of("tutorial/as-a-library.md")
    [example], [promised] = blocks(page, "python"), blocks(page, "text")

    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", example], env=environment(), text=True, capture_output=True, check=True
    )

    assert done.stdout == promised


def test_the_example_of_an_error_keeps_its_schema() -> None:
    [example] = [json.loads(block) for block in blocks(text_of("reference/errors.md"), "json")]
    described = document()
    registry: Registry[bool | Mapping[str, Any]] = Registry().with_resource("urn:api", Resource.opaque(described))
    name = schema_name(example["error"]["code"])

    Draft202012Validator({"$ref": f"urn:api#/components/schemas/{name}"}, registry=registry).validate(example)


@pytest.mark.parametrize(
    ("promised", "shown"),
    [
        (["one"], "two"),
        (["one", "two"], "two\none"),
        (["a … c"], "a bc"),
        (["status  CANCELLED"], "status\tCANCELLED now"),
        (["0 dead letters"], "10 dead letters"),
    ],
)
def test_what_is_not_printed_is_noticed(promised: list[str], shown: str) -> None:
    with pytest.raises(AssertionError):
        compare(promised, shown)


def test_what_is_printed_is_found() -> None:
    compare(["status  CANCELLED", "3  …  by", "a … c"], "field\tvalue\nstatus\tCANCELLED\n3 now by\nmore\na c")
