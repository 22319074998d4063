"""`docs/events` is what the code says, and within version 1.0 it only ever grows."""

import importlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from booking_core.messages.envelopes import PUBLISHED
from booking_core.messages.payment_messages import CONSUMED

DOCS = Path(__file__).parents[2] / "docs"

ENVELOPE = ["eventId", "eventType", "timestamp", "version", "correlationId", "payload"]
# Version 1.0 as it was first published: what readers may rely on. A line here never changes and never goes.
ALWAYS_SAID: dict[str, dict[str, object]] = {
    "booking.created": {
        "bookingId": "uuid",
        "userId": "string",
        "eventId": "uuid",
        "seatIds": "array",
        "totalAmount": "number",
        "currency": "string",
        "expiresAt": "date-time",
    },
    "booking.confirmed": {
        "bookingId": "uuid",
        "userId": "string",
        "ticketReference": "string",
        "confirmedAt": "date-time",
    },
    "booking.cancelled": {
        "bookingId": "uuid",
        "userId": "string",
        "reason": {"USER_CANCELLED", "PAYMENT_FAILED", "EXPIRED"},
        "releasedSeatIds": "array",
    },
    "booking.expired": {"bookingId": "uuid", "userId": "string", "reason": {"EXPIRED"}, "releasedSeatIds": "array"},
    "booking.refund_requested": {
        "bookingId": "uuid",
        "userId": "string",
        "paymentId": "string",
        "amount": "number",
        "currency": "string",
        "reason": {"USER_CANCELLED", "EVENT_CANCELLED", "LATE_PAYMENT", "DUPLICATE_PAYMENT", "AMOUNT_MISMATCH"},
    },
    "event.cancelled": {
        "eventId": "uuid",
        "reason": "string",
        "cancelledAt": "date-time",
        "affectedBookings": "integer",
    },
}
# What the Payment Service was asked for in version 1.0: more than that we may never demand.
DEMANDED = {
    "payment.processing": {"bookingId", "paymentId"},
    "payment.success": {"bookingId", "paymentId", "amount", "currency"},
    "payment.failed": {"bookingId", "paymentId"},
    "refund.completed": {"bookingId", "paymentId"},
    "refund.failed": {"bookingId", "paymentId"},
}


@pytest.fixture(scope="module")
def generated() -> Iterator[dict[str, str]]:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(DOCS))
        files: dict[str, str] = importlib.import_module("event_pages").event_files()
        yield files


def schema_of(event_type: str) -> dict[str, Any]:
    schema: dict[str, Any] = json.loads((DOCS / "events" / f"{event_type}.json").read_text(encoding="utf-8"))
    return schema


def told_type(field: dict[str, Any]) -> object:
    return set(field["enum"]) if "enum" in field else field.get("format", field.get("type"))


def test_every_file_is_up_to_date(generated: dict[str, str]) -> None:
    written = {path.name: path.read_text(encoding="utf-8") for path in (DOCS / "events").iterdir()}

    stale = sorted(name for name in written.keys() | generated.keys() if written.get(name) != generated.get(name))
    assert stale == [], (
        "docs/events no longer shows what the code says; write it anew with:  .venv/bin/python docs/generate.py"
    )


def test_every_event_has_a_schema_and_a_page_that_the_index_names() -> None:
    index = (DOCS / "events" / "README.md").read_text(encoding="utf-8")
    files = {path.name for path in (DOCS / "events").iterdir()}

    assert files == {"README.md"} | {f"{name}.{kind}" for name in (*PUBLISHED, *CONSUMED) for kind in ("json", "md")}
    assert all(f"]({name}.md)" in index for name in (*PUBLISHED, *CONSUMED))


@pytest.mark.parametrize("event_type", [*PUBLISHED, *CONSUMED])
def test_a_schema_is_one_and_the_pages_example_keeps_it(event_type: str) -> None:
    page = (DOCS / "events" / f"{event_type}.md").read_text(encoding="utf-8")
    example = json.loads(page.partition("```json\n")[2].partition("```")[0])
    schema = schema_of(event_type)

    Draft202012Validator.check_schema(schema)
    Draft202012Validator(schema, format_checker=Draft202012Validator.FORMAT_CHECKER).validate(example)
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"


def test_nothing_that_was_ever_published_has_gone_or_changed() -> None:
    assert ALWAYS_SAID.keys() <= PUBLISHED.keys()
    for event_type, promised in ALWAYS_SAID.items():
        schema = schema_of(event_type)
        payload = schema["properties"]["payload"]
        assert set(ENVELOPE) <= set(schema["required"])
        assert promised.keys() <= set(payload["required"])
        assert {name: told_type(payload["properties"][name]) for name in promised} == promised
        assert schema["properties"]["version"] == {"const": "1.0"}


def test_no_more_is_demanded_of_the_payment_service_than_at_first() -> None:
    assert set(DEMANDED) <= set(CONSUMED)
    for event_type, demanded in DEMANDED.items():
        schema = schema_of(event_type)
        assert set(schema["required"]) <= set(ENVELOPE)
        assert set(schema["properties"]["payload"]["required"]) <= demanded
        assert "additionalProperties" not in schema


@pytest.mark.parametrize("event_type", [*PUBLISHED, *CONSUMED])
def test_unknown_fields_are_no_offence(event_type: str) -> None:
    page = (DOCS / "events" / f"{event_type}.md").read_text(encoding="utf-8")
    example = json.loads(page.partition("```json\n")[2].partition("```")[0])
    example |= {"later": 1, "payload": {**example["payload"], "later": 1}}

    Draft202012Validator(schema_of(event_type)).validate(example)
