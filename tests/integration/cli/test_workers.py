"""Commands as processes over a real PostgreSQL: they do their work, stop cleanly, and refuse an old schema."""

import json
import signal
import threading
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import UUID

import pytest

from booking_core.application import close_event, reserve
from booking_core.domain.booking import Booking
from booking_core.domain.commands import CancelEvent, Reserve
from booking_core.domain.values import SaleStatus, Seat, Terms, TicketedEvent
from booking_core.ports.store import Store
from booking_service.catalog_file import LoadedEvent, load_event
from tests.support.postgres.fixtures import FreshDatabase
from tests.support.processes import booking, running_booking, wait_for_line, wait_until

EVENT_ID = UUID("018f2b6a-7c1d-7e3a-9b4c-5d6e7f809101")
ALREADY_OVER = Terms(payment_window=timedelta(microseconds=1))


@pytest.fixture
def hall(store: Store) -> Store:
    event = TicketedEvent(
        event_id=EVENT_ID,
        name="A concert",
        starts_at=datetime.now(UTC) + timedelta(days=40),
        status=SaleStatus.ON_SALE,
        currency="USD",
    )
    seats = [Seat(seat_id=UUID(int=number), row="A", number=number, price=Decimal(75)) for number in range(1, 11)]
    load_event(LoadedEvent(event, seats), store=store)
    return store


def hold(store: Store, number: int, terms: Terms = ALREADY_OVER) -> Booking:
    command = Reserve(user_id=f"user-{number}", event_id=EVENT_ID, seat_ids=(UUID(int=number),), correlation_id="corr")
    return reserve(command, store=store, terms=terms)


def test_an_empty_database_is_refused_until_it_is_migrated(fresh_database: FreshDatabase) -> None:
    url = fresh_database()

    for command in (["worker"], ["serve", "--port", "1"], ["expire"]):
        refused = booking(url, *command, code=1)
        assert refused.stderr.startswith("error: ")
        assert "booking migrate" in refused.stderr
        assert len(refused.stderr.splitlines()) == 1

    at_once = [threading.Thread(target=booking, args=(url, "migrate")) for _ in range(2)]
    for thread in at_once:
        thread.start()
    for thread in at_once:
        thread.join(60)
    assert json.loads(booking(url, "migrate", "--json").stdout) == {"applied": []}
    assert json.loads(booking(url, "expire", "--json").stdout) == {"expired": 0, "seatsReleased": 0}


def test_a_database_that_is_not_there_is_one_line() -> None:
    refused = booking("postgresql://booking:hunter22@127.0.0.1:1/booking", "stats", code=1)

    assert refused.stderr.startswith("error: ")
    assert len(refused.stderr.splitlines()) == 1
    assert "hunter22" not in refused.stderr


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_expire_every_goes_on_until_told_to_stop(hall: Store, database_url: str, number: signal.Signals) -> None:
    with running_booking(database_url, "expire", "--every", "0.1", "--json") as process:
        wait_for_line(process, "expire.started")
        for seat in (1, 2):
            hold(hall, seat)
            wait_until(lambda: hall.reads.statistics().overdue == 0, process)
        process.send_signal(number)
        out, err = process.communicate(timeout=20)

    assert (process.returncode, json.loads(out)) == (0, {"expired": 2, "seatsReleased": 2}), err


def test_the_worker_does_all_its_jobs_and_stops_cleanly(hall: Store, database_url: str) -> None:
    hold(hall, 1)
    hold(hall, 2, Terms())
    command = CancelEvent(event_id=EVENT_ID, reason="flood", administrator="root", correlation_id="corr")
    close_event(command, store=hall)

    with running_booking(database_url, "worker") as process:
        wait_until(lambda: not hall.reads.open_closures(), process)
        wait_until(lambda: hall.reads.statistics().outbox == 0, process)
        process.terminate()
        out, err = process.communicate(timeout=20)

    assert (process.returncode, out) == (0, ""), err
    lines = [json.loads(line) for line in err.splitlines()]
    assert lines[0]["jobs"] == ["relay", "consumer", "expire", "closure", "prune", "refunds"]
    assert lines[-1]["event"] == "worker.stopped"
    assert {"closure.finished", "relay.stopped"} <= {line["event"] for line in lines}
    assert {line["event"] for line in lines if line["level"] != "info"} == {"bus.memory"}


@pytest.mark.parametrize("command", ["relay", "consume"])
def test_each_alone(hall: Store, database_url: str, command: str) -> None:
    hold(hall, 1, Terms())

    with running_booking(database_url, command) as process:
        wait_for_line(process, f"{command}.started")
        if command == "relay":
            wait_until(lambda: hall.reads.statistics().outbox == 0, process)
        process.terminate()
        _, err = process.communicate(timeout=20)

    assert process.returncode == 0, err
    assert hall.reads.statistics().outbox == (0 if command == "relay" else 1)
