"""The workers are a library: they run over ports, and import no framework, driver or metrics library."""

import subprocess
import sys

import pytest

import booking_workers

NOT_IMPORTED = (
    "flask click granian prometheus_client kafka sqlalchemy psycopg opentelemetry booking_api booking_service"
)
ONE_PROCESS = """
import json, sys, urllib.request
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import UUID

from booking_core import ConfirmPayment, Reserve, SaleStatus, Seat, Terms, TicketedEvent, reserve
from booking_core.ports import Message
from booking_memory.bus import MemoryEventBus
from booking_memory.store import MemoryStore
from booking_workers import (
    CancellationJob, Consumer, DeadLetters, ExpiryJob, InstrumentedJob, RefundSampler, Relay, RetentionJob, StopSignals,
    run_together, serve_health,
)
from tests.support.processes import free_port

now = datetime(2026, 3, 1, 10, 0, tzinfo=UTC)
store, bus = MemoryStore(clock=lambda: now), MemoryEventBus()
event_id, seats = UUID(int=7), [UUID(int=number) for number in (1, 2)]
with store.unit_of_work() as uow:
    uow.events.put(TicketedEvent(event_id=event_id, name="A concert", starts_at=now + timedelta(days=40),
                                 status=SaleStatus.ON_SALE, currency="USD"),
                   ages=False, complete=True)
    uow.events.put_seats(event_id, [Seat(seat_id=each, row="A", number=1, price=Decimal(75)) for each in seats])
    uow.commit()
paid, overdue = (
    reserve(Reserve(user_id="ann", event_id=event_id, seat_ids=(each,), correlation_id="c"), store=store)
    for each in seats
)
message = {"eventId": str(UUID(int=9)), "eventType": "payment.success", "timestamp": "2026-03-01T10:00:00Z",
           "version": "1.0", "correlationId": "c", "payload": {"bookingId": str(paid.booking_id), "paymentId": "p",
           "amount": 75, "currency": "USD"}}
bus.publish("payments", [Message(key=b"k", value=json.dumps(message).encode())])
relay, expiry = Relay(store, bus, "events"), ExpiryJob(store)
consumer = Consumer(store, bus, topic="payments", group="g", dead_letters=DeadLetters(bus, "dead"), terms=Terms(),
                    poll_seconds=0.0)
consumer.run_once()
now += timedelta(minutes=11)
expiry.run_once()

with StopSignals() as signals:
    port = free_port()
    with serve_health(port, store, signals.should_continue) as on_start:
        def check(threads):
            on_start(threads)
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz") as answer:
                assert answer.status == 200
            while relay.published < 5:
                assert all(each.is_alive() for each in threads)
            signals.end()
        jobs = [relay, consumer, expiry, CancellationJob(store), RefundSampler(store),
                RetentionJob(store, idempotency_hours=24, retention_days=7)]
        assert run_together([InstrumentedJob(each) for each in jobs], signals.flag(), on_start=check)

statuses = [store.reads.booking(each.booking_id).booking.status.value for each in (paid, overdue)]
print(statuses, relay.published, dict(consumer.counts), expiry.expired)
print(sorted(set(sys.argv[1].split()) & set(sys.modules)))
"""


def run(program: str) -> list[str]:
    """The lines that the program prints, in an interpreter of its own."""
    command = [sys.executable, "-c", program, NOT_IMPORTED]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_all_jobs_of_a_process_run_over_ports_alone() -> None:
    result, imported = run(ONE_PROCESS)

    # Two bookings created, one confirmed, one expired and therefore cancelled.
    assert result == "['CONFIRMED', 'CANCELLED'] 5 {'applied': 1} 1"
    assert imported == "[]"


def test_importing_the_package_imports_none_of_its_modules() -> None:
    assert run("import booking_workers, sys; print([each for each in sys.modules if 'booking_workers.' in each])") == [
        "[]"
    ]


@pytest.mark.parametrize("name", booking_workers.__all__)
def test_every_public_name_is_there(name: str) -> None:
    assert getattr(booking_workers, name) is not None


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'Unknown'"):
        booking_workers.Unknown  # type: ignore[attr-defined]  # noqa: B018
