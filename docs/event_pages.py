"""The files of `docs/events`: a schema and a page for every event, and an index. `generate.py` writes them."""

import json
import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

from event_examples import consumed_example, published_example
from event_schemas import Schema, consumed_schema, published_schema
from event_texts import FIELDS, HEADERS, MEANINGS

from booking_core.domain.events import DomainEvent
from booking_core.messages.envelopes import PUBLISHED, envelope_of
from booking_core.messages.payment_messages import CONSUMED
from booking_memory.tables import outbox_record
from booking_workers.relay import message_of

_MADE: Final = "<!-- Made by `python docs/generate.py` from the event classes and the parser; changes belong there. -->"
_PAGE: Final = """\
{made}

# {title}

{meaning}

{traffic} Schema: [{title}.json]({title}.json).

```json
{example}
```

## Payload

| field | type | always there | meaning |
|---|---|---|---|
{fields}
"""
_HEADERS: Final = """
## Key and headers

The key is `{key}`: {of}.

| header | in this example | meaning |
|---|---|---|
{headers}
"""
_INDEX: Final = """\
{made}

# Events

Every message is one JSON object in UTF-8: `eventId, eventType, timestamp, version, correlationId, payload`. Messages
of one key stay in order. They are delivered at least once, so a consumer stores each `eventId` that it has processed.
Within version 1.0 fields are only added, so a consumer ignores unknown fields; a breaking change gets another
version.

## Published, to `BOOKING_EVENTS_TOPIC`

| event | when |
|---|---|
{published}

## Consumed, from `BOOKING_PAYMENTS_TOPIC`

Keyed by booking id; versions 1.x. Other types than `payment.*` and `refund.*` are skipped and counted. A message that
cannot be parsed or applied becomes a dead letter ([how to replay them](../kafka.md#dead-letters)).

| event | what it does |
|---|---|
{consumed}
"""


def event_files() -> dict[str, str]:
    """Every file of `docs/events`, by its name."""
    files = {"README.md": _index()}
    for event_type, kind in PUBLISHED.items():
        schema = published_schema(kind)
        files[f"{event_type}.json"] = _json(schema)
        files[f"{event_type}.md"] = _published_page(event_type, published_example(kind), schema)
    for event_type in CONSUMED:
        schema = consumed_schema(event_type)
        files[f"{event_type}.json"] = _json(schema)
        files[f"{event_type}.md"] = _page(schema, consumed_example(event_type), "Consumed, keyed by booking id.")
    return files


def _published_page(title: str, event: DomainEvent, schema: Schema) -> str:
    record = outbox_record(event, "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
    message = message_of(record)
    rows = [f"| `{name}` | `{text}` | {HEADERS[name]} |" for name, text in message.headers.items()]
    of = "the id of the ticketed event" if title == "event.cancelled" else "the booking's id"
    ending = _HEADERS.format(key=message.key.decode(), of=of, headers="\n".join(rows))
    return _page(schema, envelope_of(event), "Published.") + ending


def _page(schema: Schema, example: Mapping[str, Any], traffic: str) -> str:
    payload = schema["properties"]["payload"]
    rows = [
        f"| `{name}` | {_type_of(field)} | {'yes' if name in payload['required'] else 'no'} | {FIELDS[name]} |"
        for name, field in payload["properties"].items()
    ]
    title = schema["title"]
    return _PAGE.format(
        made=_MADE,
        title=title,
        meaning=MEANINGS[title],
        traffic=traffic,
        example=_json(example).rstrip(),
        fields="\n".join(rows),
    )


def _index() -> str:
    published, consumed = (
        "\n".join(f"| [`{name}`]({name}.md) | {MEANINGS[name]} |" for name in names) for names in (PUBLISHED, CONSUMED)
    )
    return _INDEX.format(made=_MADE, published=published, consumed=consumed)


def _type_of(field: Schema) -> str:
    """The type in words."""
    if "enum" in field:
        return ", ".join(f"`{value}`" for value in field["enum"])
    if field["type"] == "array":
        return f"{field['minItems']} to {field['maxItems']} UUIDs"
    if "format" in field:
        return {"uuid": "UUID", "date-time": "time in UTC"}[field["format"]]
    if "pattern" in field:
        return "three capital letters"
    return {"string": "text", "integer": "whole number", "number": "number"}.get(str(field["type"]), "text or null")


def _json(value: Mapping[str, Any]) -> str:
    """Readable JSON; amounts keep their decimals."""
    marked = json.dumps(value, indent=2, default=_marked)
    return re.sub(r'"number:([0-9.]+)"', r"\1", marked) + "\n"


def _marked(amount: object) -> str:
    if not isinstance(amount, Decimal):
        raise TypeError(f"{type(amount).__name__} has no place in our JSON")
    return f"number:{amount:f}"
