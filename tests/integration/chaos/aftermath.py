"""What must be true when everything has come to rest, whatever was killed."""

import json
from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any, Final
from uuid import UUID

import psycopg
from attrs import frozen
from kafka.consumer.fetcher import ConsumerRecord
from psycopg.rows import namedtuple_row

from tests.integration.chaos.load import Acknowledged
from tests.integration.chaos.payment_service import Outcome, outcome_of
from tests.integration.chaos.stage import Stage
from tests.support.kafka.readers import everything_in

_LAST_WORD: Final = {"booking.created": ("PENDING", "PROCESSING"), "booking.confirmed": ("CONFIRMED",)}
_OF_PAYMENTS: Final = """
    SELECT booking_id, payment_id, refund_reason FROM booking.payments WHERE status = 'TAKEN' ORDER BY 1, 2
"""
_HISTORY: Final = """
    SELECT booking_id::text || ' ' || payment_id, count(*) FROM booking.history
    WHERE trigger = 'PAYMENT_SUCCESS' GROUP BY 1
"""


@frozen(kw_only=True)
class Found:
    """What a test may want to know of a round beside that it was right."""

    events: int
    repeats: int


def check(stage: Stage, acknowledged: Acknowledged) -> Found:
    """Fails unless nothing acknowledged was lost, nothing is out of order, and every payment was applied once."""
    said = _by_key(everything_in(stage.servers, stage.payments_topic))
    told = _by_key(everything_in(stage.servers, stage.events_topic))
    with psycopg.connect(stage.url) as connection:
        books = _Books(connection)
    firsts = {key: _first_appearances(records) for key, records in told.items()}

    _nothing_is_lost(acknowledged, books, said, firsts)
    _events_agree_with_outbox(books, firsts)
    _events_agree_with_bookings(books, firsts)
    _payments_are_applied_once(acknowledged, books, said)
    _refunds_are_asked_once(books, firsts)
    letters = everything_in(stage.servers, stage.letters_topic)
    assert letters == [], f"an outage is no poison: {letters[0].headers}"
    events, records = (sum(map(len, by_key.values())) for by_key in (firsts, told))
    return Found(events=events, repeats=records - events)


class _Books:
    """What the database has."""

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        cursor = connection.cursor(row_factory=namedtuple_row)
        query = "SELECT booking_id, status, confirmed_by, sequence FROM booking.bookings"
        bookings: list[Any] = cursor.execute(query).fetchall()
        self.bookings = {row.booking_id: row for row in bookings}
        self.taken = cursor.execute(_OF_PAYMENTS).fetchall()
        self.heard = sorted(str(row[0]) for row in cursor.execute("SELECT message_id FROM booking.inbox"))
        self.successes: dict[str, int] = dict(connection.execute(_HISTORY).fetchall())
        query = "SELECT key, sequence, message_id, body, published_at FROM booking.outbox ORDER BY key, sequence"
        outbox: list[Any] = cursor.execute(query).fetchall()
        self.outbox = {key: list(rows) for key, rows in groupby(outbox, lambda row: row.key)}


def _by_key(records: Sequence[ConsumerRecord]) -> dict[UUID, list[ConsumerRecord]]:
    found: dict[UUID, list[ConsumerRecord]] = {}
    for record in records:
        found.setdefault(UUID(record.key.decode()), []).append(record)
    for key, of_key in found.items():
        assert len({record.partition for record in of_key}) == 1, f"{key} is in several partitions"
    return found


def _first_appearances(records: Sequence[ConsumerRecord]) -> list[ConsumerRecord]:
    """One record for each event id, in the order of the topic. What comes again must be the same to the last byte."""
    firsts: dict[str, ConsumerRecord] = {}
    for record in records:
        first = firsts.setdefault(json.loads(record.value)["eventId"], record)
        assert (record.value, record.headers) == (first.value, first.headers), "a repeat differs from the first"
    return list(firsts.values())


def _sequences(records: Sequence[ConsumerRecord]) -> list[int]:
    return [int(dict(record.headers)["sequence"]) for record in records]


def _type(record: ConsumerRecord) -> str:
    return str(json.loads(record.value)["eventType"])


def _nothing_is_lost(
    acknowledged: Acknowledged,
    books: _Books,
    said: Mapping[UUID, Sequence[ConsumerRecord]],
    firsts: Mapping[UUID, Sequence[ConsumerRecord]],
) -> None:
    assert acknowledged.booked, "nothing was ever reserved: the round says nothing"
    assert acknowledged.booked.keys() <= books.bookings.keys(), "an acknowledged booking is gone"
    assert books.bookings.keys() == firsts.keys(), "bookings and keys of the topic are not the same"
    for booking_id in acknowledged.given_back:
        reasons = [json.loads(each.value)["payload"].get("reason") for each in firsts[booking_id]]
        assert "USER_CANCELLED" in reasons, f"nobody hears that {booking_id} was given back"
    kept = {record.value for records in said.values() for record in records}
    assert {each.value for each in acknowledged.said} <= kept, "the broker has lost what it had acknowledged"


def _events_agree_with_outbox(books: _Books, firsts: Mapping[UUID, Sequence[ConsumerRecord]]) -> None:
    for key, records in firsts.items():
        rows = books.outbox[key]
        assert _sequences(records) == list(range(1, books.bookings[key].sequence + 1)), f"the events of {key}"
        assert [record.value.decode() for record in records] == [row.body for row in rows], f"the events of {key}"
        assert all(row.published_at for row in rows), f"an event of {key} is said to wait"


def _events_agree_with_bookings(books: _Books, firsts: Mapping[UUID, Sequence[ConsumerRecord]]) -> None:
    for key, records in firsts.items():
        last = [kind for kind in map(_type, records) if kind != "booking.refund_requested"][-1]
        assert books.bookings[key].status in _LAST_WORD.get(last, ("CANCELLED",)), f"{key}: {last} is its last event"


def _payments_are_applied_once(
    acknowledged: Acknowledged, books: _Books, said: Mapping[UUID, Sequence[ConsumerRecord]]
) -> None:
    stories = {key: [json.loads(record.value) for record in records] for key, records in said.items()}
    assert books.heard == sorted({word["eventId"] for story in stories.values() for word in story}), "the inbox"
    expected: dict[UUID, Outcome] = {
        key: outcome_of(stories.get(key, []), given_back=key in acknowledged.given_back) for key in books.bookings
    }
    taken = [(key, each, outcome.refunds.get(each)) for key, outcome in expected.items() for each in outcome.taken]
    assert [tuple(row) for row in books.taken] == sorted(taken), "payments taken, and why some are asked back"
    assert books.successes == {f"{key} {payment}": 1 for key, payment, _ in taken}, "payments in the history"
    for key, row in books.bookings.items():
        assert (row.status, row.confirmed_by) == (expected[key].status, expected[key].confirmed_by), f"{key}"


def _refunds_are_asked_once(books: _Books, firsts: Mapping[UUID, Sequence[ConsumerRecord]]) -> None:
    events = [json.loads(record.value) for records in firsts.values() for record in records]
    payloads = [event["payload"] for event in events if event["eventType"] == "booking.refund_requested"]
    asked = sorted((each["bookingId"], each["paymentId"], each["reason"]) for each in payloads)
    assert asked == [(str(row[0]), row[1], row[2]) for row in books.taken if row[2] is not None], "refunds"
    confirmed = sum(event["eventType"] == "booking.confirmed" for event in events)
    assert len(books.taken) == confirmed + len(asked), "money was taken for nothing"
