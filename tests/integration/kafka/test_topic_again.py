"""The whole payments topic read once more, from its beginning: nothing changes, and nothing is said."""

from collections.abc import Iterator, Sequence
from typing import Any
from uuid import uuid4

import pytest
from psycopg import sql

from booking_core.ports import EventBus
from tests.integration.kafka.payment_messages import Word, envelope, said, say, word
from tests.integration.kafka.service import Service, first_appearances, message, stop
from tests.support.kafka.readers import bus_at
from tests.support.postgres.stage import Stage, until

_TABLES = "SELECT array_agg(table_name::text ORDER BY 1) FROM information_schema.tables WHERE table_schema = 'booking'"


@pytest.fixture
def bus(kafka_bootstrap: str) -> Iterator[EventBus]:
    bus = bus_at(kafka_bootstrap)
    yield bus
    bus.close()


def everything_stored(stage: Stage) -> dict[str, list[Any]]:
    """Every row of every table of ours, as text."""
    query = sql.SQL("SELECT t::text FROM booking.{} t ORDER BY 1")
    tables = stage.ask(_TABLES)
    return {name: stage.door.execute(query.format(sql.Identifier(name))).fetchall() for name in tables}


def a_busy_day(stage: Stage) -> Sequence[Word]:
    """Everything that the Payment Service can say, in many orders, some of it twice."""
    stage.set_up(seats=40)
    words: list[Word] = []
    for place in range(40):
        booking = stage.fixture.reserve(place, user=f"user-{place}").booking_id
        paid = said("payment.success", booking)
        stories = (
            [paid],
            [said("payment.processing", booking), paid, paid],
            [said("payment.failed", booking, reason="declined"), paid],
            [paid, said("payment.success", booking, "pay-2"), said("refund.completed", booking, "pay-2")],
            [said("payment.success", booking, amount=1.0), said("refund.failed", booking, reason="closed"), paid],
            [paid, said("payment.failed", booking), said("payment.processing", booking, "pay-2")],
            [said("payment.processing", booking), said("payment.processing", booking, "pay-2")],
            [word(envelope("payment.success", uuid4()), booking), word(["no envelope"], booking), paid],
        )
        words += stories[place % len(stories)]
    return words


@pytest.mark.slow("a topic that is deleted and created again")
@pytest.mark.parametrize("is_pruned", [False, True], ids=["with the inbox", "after the inbox was pruned"])
def test_nothing_changes_and_nothing_is_said(service: Service, bus: EventBus, is_pruned: bool) -> None:
    stage, words = service.stage, a_busy_day(service.stage)

    def all_is_done(group: str) -> bool:
        waits = bus.backlog(service.payments_topic, group)
        unpublished = stage.ask("SELECT count(*) FROM booking.outbox WHERE published_at IS NULL")
        return not any(waits.values()) and unpublished == 0

    with service.running("relay") as relay:
        with service.running("consume") as consumer:
            say(service.servers, service.payments_topic, words)
            until(lambda: all_is_done(service.group), "all payments are applied and all events published")
            stop([consumer])
        before, told, letters = everything_stored(stage), service.events(), service.letters()
        if is_pruned:
            stage.door.execute("DELETE FROM booking.inbox WHERE NOT retained")

        again = service.of_group(f"again.{uuid4()}")
        with again.running("consume") as consumer:
            until(lambda: all_is_done(again.group), "all payments are read again")
            stop([consumer])
        stop([relay])

    assert {message(record)["eventType"] for record in told} == {
        "booking.created",
        "booking.confirmed",
        "booking.cancelled",
        "booking.refund_requested",
    }
    assert len(letters) == 10
    assert len(before["inbox"]) == len({each.value for each in words} - {each.value for each in letters})
    after = everything_stored(stage)
    assert before.keys() == after.keys()
    for table, rows in before.items():
        if table == "inbox" and is_pruned:
            continue  # filled again
        assert after[table] == rows, f"{table} has changed"
    assert service.events() == told
    again_letters = [record.value for record in service.letters()]
    assert sorted(again_letters) == sorted([record.value for record in letters] * 2)
    first_appearances(told)
