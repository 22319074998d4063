"""`booking dev --kafka`: the same demo, but its messages are on a real broker, where others read and write them."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

from booking_core.ports import Message
from tests.support.dev import PATIENCE_SECONDS, StartDev, dev_command, environment
from tests.support.kafka.readers import bus_at, everything_in
from tests.support.processes import free_port


def test_a_payment_that_somebody_else_writes_confirms_the_booking(
    start_dev: StartDev,
    directory: Path,
    kafka_bootstrap: str,
    fresh_topic: Callable[[], str],
) -> None:
    events, payments, dead = fresh_topic(), fresh_topic(), fresh_topic()
    topics = {
        "BOOKING_EVENTS_TOPIC": events,
        "BOOKING_PAYMENTS_TOPIC": payments,
        "BOOKING_DEAD_LETTER_TOPIC": dead,
        "BOOKING_CONSUMER_GROUP": f"of.{payments}",
    }
    dev = start_dev(directory / "data", "--kafka", kafka_bootstrap, **topics)
    ann = dev.token("ann")
    held = dev.hold(ann)
    envelope = {
        "eventId": str(uuid4()),
        "eventType": "payment.success",
        "timestamp": "2026-03-01T10:00:00Z",
        "version": "1.0",
        "correlationId": "by-hand",
        "payload": {
            "bookingId": held["bookingId"],
            "paymentId": "pay-1",
            "amount": held["totalAmount"],
            "currency": held["currency"],
        },
    }
    bus = bus_at(kafka_bootstrap)
    bus.publish(payments, [Message(key=held["bookingId"].encode(), value=json.dumps(envelope).encode())])
    bus.close()
    dev.booking_when(ann, held["bookingId"], lambda booking: booking["status"] == "CONFIRMED")

    dev.call("DELETE", f"/api/v1/bookings/{held['bookingId']}", token=ann)
    dev.booking_when(ann, held["bookingId"], lambda booking: booking.get("refund", {}).get("status") == "COMPLETED")
    stopped = dev.stop()

    said = [
        (dict(record.headers)["sequence"], json.loads(record.value))
        for record in everything_in(kafka_bootstrap, events)
    ]
    assert [(number, event["eventType"]) for number, event in said] == [
        (b"1", "booking.created"),
        (b"2", "booking.confirmed"),
        (b"3", "booking.cancelled"),
        (b"4", "booking.refund_requested"),
    ]
    assert {event["payload"]["bookingId"] for _, event in said} == {held["bookingId"]}
    assert stopped == 0


def test_a_missing_topic_is_said_in_one_line(directory: Path, kafka_bootstrap: str) -> None:
    missing = f"missing.{uuid4()}"
    done = subprocess.run(
        dev_command(directory / "data", free_port(), "--kafka", kafka_bootstrap),
        env=environment(BOOKING_EVENTS_TOPIC=missing),
        cwd="/",
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
    )

    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.splitlines()[-1] == f"error: Topic {missing!r} does not exist"
