"""Replays as processes, over a real PostgreSQL and a real broker."""

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import pytest
from attrs import evolve

from booking_core.application import reserve, show_booking
from booking_core.domain.booking import Booking
from booking_core.domain.commands import Reserve
from booking_core.domain.values import SaleStatus, Seat, TicketedEvent
from booking_core.ports import EventBus, Message, Store
from booking_service.catalog_file import LoadedEvent, load_event
from booking_workers.relay import Relay
from tests.support.kafka.readers import bus_at, everything_in
from tests.support.processes import booking

EVENT_ID = UUID("018f2b6a-7c1d-7e3a-9b4c-5d6e7f809101")


@pytest.fixture
def settings(kafka_bootstrap: str, fresh_topic: Callable[[], str]) -> dict[str, str]:
    return {
        "BOOKING_EVENT_BUS": "kafka",
        "BOOKING_KAFKA_BOOTSTRAP_SERVERS": kafka_bootstrap,
        "BOOKING_EVENTS_TOPIC": fresh_topic(),
        "BOOKING_DEAD_LETTER_TOPIC": fresh_topic(),
        "BOOKING_CONSUMER_GROUP": f"group.{uuid4()}",
    }


@pytest.fixture
def bus(kafka_bootstrap: str) -> Iterator[EventBus]:
    bus = bus_at(kafka_bootstrap)
    yield bus
    bus.close()


@pytest.fixture
def booked(store: Store) -> list[Booking]:
    """Six bookings of one seat each."""
    event = TicketedEvent(
        event_id=EVENT_ID,
        name="A concert",
        starts_at=datetime.now(UTC) + timedelta(days=40),
        status=SaleStatus.ON_SALE,
        currency="USD",
    )
    seats = [Seat(seat_id=UUID(int=number), row="A", number=number, price=Decimal(75)) for number in range(1, 7)]
    load_event(LoadedEvent(event, seats), store=store)
    commands = (
        Reserve(user_id=f"user-{seat.number}", event_id=EVENT_ID, seat_ids=(seat.seat_id,), correlation_id="corr")
        for seat in seats
    )
    return [reserve(command, store=store) for command in commands]


def payment(booking_id: UUID) -> Message:
    envelope = {
        "eventId": str(uuid4()),
        "eventType": "payment.success",
        "timestamp": "2026-03-01T10:00:00Z",
        "version": "1.0",
        "correlationId": "corr",
        "payload": {"bookingId": str(booking_id), "paymentId": "pay-1", "amount": 75.0, "currency": "USD"},
    }
    return Message(key=str(booking_id).encode(), value=json.dumps(envelope).encode(), headers={"reason": "OLD: one"})


def test_events_come_again_as_they_were(
    database_url: str, store: Store, booked: list[Booking], settings: dict[str, str], bus: EventBus
) -> None:
    topic = settings["BOOKING_EVENTS_TOPIC"]
    Relay(store, bus, topic).run_once()
    servers = settings["BOOKING_KAFKA_BOOTSTRAP_SERVERS"]
    first = everything_in(servers, topic)

    def told(records: list[Any]) -> list[Any]:
        return sorted((record.key, record.value, record.headers, record.partition) for record in records)

    done = booking(database_url, "replay", "events", "--event-id", str(EVENT_ID), "--json", code=0, **settings)

    assert json.loads(done.stdout) == {"published": 6}
    assert told(everything_in(servers, topic)) == sorted(told(first) * 2)


@pytest.mark.slow("a dozen starts of the program")
def test_dead_letters_are_counted_fed_back_and_kept(
    database_url: str, store: Store, booked: list[Booking], settings: dict[str, str], bus: EventBus
) -> None:
    topic = settings["BOOKING_DEAD_LETTER_TOPIC"]
    strangers = [payment(uuid4()) for _ in range(7)]
    bus.publish(topic, [*map(payment, (made.booking_id for made in booked)), *strangers])

    def dead_letters() -> int:
        return int(json.loads(booking(database_url, "stats", "--json", code=0, **settings).stdout)["deadLetters"])

    def replay(*options: str) -> Any:
        return json.loads(
            booking(database_url, "replay", "dead-letters", "--json", *options, code=0, **settings).stdout
        )

    assert dead_letters() == 13
    assert replay("--dry-run") == {"applied": 6, "failed": 7}
    assert replay() == {"applied": 6, "failed": 7}
    assert all(show_booking(made.booking_id, store=store)[0].confirmed_by == "pay-1" for made in booked)
    assert dead_letters() == 7
    assert replay() == {"applied": 0, "failed": 7}
    assert dead_letters() == 7

    kept = everything_in(settings["BOOKING_KAFKA_BOOTSTRAP_SERVERS"], topic)
    assert len(kept) == 13 + 7 + 7
    assert {record.value for record in kept} >= {stranger.value for stranger in strangers}
    reasons = [dict(record.headers)["reason"] for record in kept]
    assert sum(reason.startswith(b"BOOKING_NOT_FOUND") for reason in reasons) == 14


def test_single_letters_are_discarded_and_replayed(
    database_url: str, bus: EventBus, settings: dict[str, str], booked: list[Booking]
) -> None:
    letters = [payment(UUID(int=1)), payment(booked[0].booking_id), payment(UUID(int=2)), payment(booked[1].booking_id)]
    bus.publish(settings["BOOKING_DEAD_LETTER_TOPIC"], [evolve(letter, key=b"k") for letter in letters])

    def run(*arguments: str) -> Any:
        return json.loads(booking(database_url, "dead-letters", *arguments, "--json", code=0, **settings).stdout)

    def waiting() -> dict[str, str]:
        return {letter["bookingId"]: letter["id"] for letter in run("list")["deadLetters"]}

    ids = waiting()
    assert len(ids) == 4
    assert run("discard", ids[str(UUID(int=2))]) == {"discarded": 1}
    # What was published by another program has its own place as its id, and keeps no other.
    first = waiting()[str(booked[0].booking_id)]
    assert run("replay", first) == {"applied": 1, "failed": 0}
    assert set(waiting()) == {str(UUID(int=1)), str(booked[1].booking_id)}
    assert run("replay") == {"applied": 1, "failed": 1}
    assert set(waiting()) == {str(UUID(int=1))}
