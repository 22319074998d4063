"""The example shop in Flask, served for real: order and booking are written together, or neither is."""

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx2
import psycopg
import pytest

from tests.integration.examples.hall import Hall
from tests.integration.examples.outside import Outside
from tests.support.postgres.fixtures import databases
from tests.support.processes import free_port, wait_until


@pytest.fixture(scope="module")
def hall(outside: Outside, postgres_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hall]:
    """A database that the shop's own command has migrated."""
    with databases(postgres_url) as create:
        url = create()
        flask = ("flask", "--app", "flask_shop", "migrate")
        home = tmp_path_factory.mktemp("flask")
        first, again = (outside.run(*flask, cwd=home, SHOP_DATABASE_URL=url).strip() for _ in range(2))
        assert first != again == "migrations of the library: 0"
        yield Hall(url)


@pytest.fixture(scope="module")
def server(outside: Outside, hall: Hall, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx2.Client]:
    home = tmp_path_factory.mktemp("flask")
    with outside.serving("wsgi", "flask_shop:create_app", cwd=home, SHOP_DATABASE_URL=hall.url) as client:
        yield client


@pytest.fixture
def shop(server: httpx2.Client, hall: Hall) -> "Shop":
    hall.do(
        "TRUNCATE shop.orders, shop.refunds, booking.bookings, booking.claims, booking.holds, booking.outbox CASCADE"
    )
    hall.event_id = uuid4()
    hall.open()
    return Shop(server, hall)


TWO_AT_ONCE = """
import os, time
from concurrent.futures import ThreadPoolExecutor
from booking_postgres.store import PostgresStore
from flask_shop.transactions import make_engine
from flask_shop.upkeep import EventsJob
engine = make_engine(os.environ["SHOP_DATABASE_URL"], 4)
jobs = [EventsJob(engine, PostgresStore(engine)) for _ in range(2)]
waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
with ThreadPoolExecutor(2) as pool, engine.connect() as connection, engine.connect() as watch:
    watch.execution_options(isolation_level="AUTOCOMMIT")
    connection.exec_driver_sql("SELECT 1 FROM booking.outbox FOR UPDATE")
    both = [pool.submit(job.run_once) for job in jobs]
    while watch.exec_driver_sql(waiting).scalar() < 2:
        time.sleep(0.01)
    connection.rollback()
    assert not any(each.result() for each in both)
print(sorted(job.acted_on for job in jobs))
"""


class Shop:
    """What customers do, and what is in the database afterwards."""

    def __init__(self, client: httpx2.Client, hall: Hall) -> None:
        self.client, self.hall = client, hall

    def place(self, number: str, *places: int, customer: str = "ada") -> httpx2.Response:
        seat_ids = [self.hall.seat_ids[place] for place in places]
        body = {"number": number, "eventId": str(self.hall.event_id), "seatIds": seat_ids}
        return self.client.post("/orders", json=body, headers={"X-Customer": customer})

    def show(self, number: str, customer: str = "ada") -> httpx2.Response:
        return self.client.get(f"/orders/{number}", headers={"X-Customer": customer})

    def pay(self, number: str, amount: str = "75.00", message_id: str | None = None) -> httpx2.Response:
        body = {"messageId": message_id or str(uuid4()), "paymentId": "p-1", "amount": amount, "currency": "USD"}
        return self.client.post(f"/orders/{number}/payments", json=body)

    @property
    def books(self) -> dict[str, int]:
        """How many orders and bookings there are."""
        return {"orders": self.hall.count("shop.orders"), "bookings": self.hall.count("booking.bookings")}


def refusal(response: httpx2.Response) -> tuple[int, str]:
    return response.status_code, response.json()["code"]


def test_from_the_order_to_the_ticket_and_back(shop: Shop) -> None:
    placed = shop.place("A-1", 0, 1)
    assert (placed.status_code, placed.json()["total"]) == (201, "150.00"), placed.text
    assert shop.books == {"orders": 1, "bookings": 1}

    message = str(uuid4())
    assert shop.pay("A-1", "150.00", message).json() == {"changed": True}
    assert shop.pay("A-1", "150.00", message).json() == {"changed": False}
    shown = shop.show("A-1").json()
    assert shown["status"] == "CONFIRMED"
    assert shown["ticket"]
    assert shop.show("A-1", "eve").status_code == 404

    seats = shop.client.get(f"/events/{shop.hall.event_id}/seats").json()["seats"]
    assert Counter(each["status"] for each in seats) == {"SOLD": 2, "AVAILABLE": 18}

    cancelled = shop.client.delete("/orders/A-1", headers={"X-Customer": "ada"})
    assert cancelled.json()["status"] == "CANCELLED"


def test_when_the_shops_insert_fails_there_is_no_booking(shop: Shop) -> None:
    assert shop.place("A-1", 0).status_code == 201

    assert refusal(shop.place("A-1", 1, customer="bob")) == (409, "ORDER_EXISTS")

    assert shop.books == {"orders": 1, "bookings": 1}
    assert shop.hall.count("booking.claims") == 1
    assert shop.hall.count("booking.outbox") == 1
    assert shop.place("A-2", 1, customer="bob").status_code == 201, "the seat is free"


def test_when_the_booking_is_refused_there_is_no_order(shop: Shop) -> None:
    shop.place("A-1", 0)

    refused = shop.place("A-2", 0, 1, customer="bob")

    assert refusal(refused) == (409, "SEAT_ALREADY_RESERVED")
    assert refused.json()["details"] == {"unavailableSeatIds": [shop.hall.seat_ids[0]]}
    assert shop.books == {"orders": 1, "bookings": 1}


def test_twelve_customers_and_one_seat(shop: Shop) -> None:
    with ThreadPoolExecutor(12) as pool:
        answers = list(pool.map(lambda n: shop.place(f"A-{n}", 7, customer=f"c-{n}"), range(12)))

    assert Counter(answer.status_code for answer in answers) == {201: 1, 409: 11}
    assert {refusal(answer)[1] for answer in answers if answer.status_code == 409} == {"SEAT_ALREADY_RESERVED"}
    assert shop.books == {"orders": 1, "bookings": 1}
    assert shop.hall.count("booking.claims") == 1


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"number": "A-1", "eventId": "x", "seatIds": []}, "eventId"),
        ({"number": "A-1", "eventId": str(uuid4()), "seatIds": "x"}, "seatIds"),
        ({"number": 1, "eventId": str(uuid4()), "seatIds": [str(uuid4())]}, "number"),
        ([], "body"),
    ],
)
def test_what_cannot_be_asked_is_said(shop: Shop, body: Any, field: str) -> None:
    answer = shop.client.post("/orders", json=body, headers={"X-Customer": "ada"})

    assert refusal(answer) == (400, "VALIDATION_FAILED")
    assert [each["field"] for each in answer.json()["details"]["fields"]] == [field]


def test_the_upkeep_ends_holds_and_books_refunds_once(shop: Shop, outside: Outside, tmp_path: Path) -> None:
    def upkeep() -> str:
        command = ("flask", "--app", "flask_shop", "upkeep")
        return outside.run(*command, cwd=tmp_path, SHOP_DATABASE_URL=shop.hall.url).strip()

    shop.place("A-1", 0)
    shop.hall.end_the_payment_window()
    assert shop.show("A-1").json()["status"] == "CANCELLED", "over at its deadline, swept or not"
    shop.pay("A-1")

    # Created; expired and cancelled by the late payment, which is asked back.
    assert upkeep() == "expired: 0, events: 4, pruned: 0"
    assert shop.hall.ask("SELECT payment_id, amount::text, currency, reason FROM shop.refunds") == [
        ("p-1", "75.00", "USD", "LATE_PAYMENT")
    ]
    shop.place("A-2", 0, customer="bob")
    shop.hall.end_the_payment_window()
    assert upkeep() == "expired: 1, events: 3, pruned: 0"
    assert upkeep() == "expired: 0, events: 0, pruned: 0"
    assert shop.hall.count("shop.refunds") == 1


def test_two_runs_at_once_act_on_an_event_once(shop: Shop, outside: Outside, tmp_path: Path) -> None:
    for place in range(3):
        shop.place(f"A-{place}", place)

    assert outside.run("python", "-c", TWO_AT_ONCE, cwd=tmp_path, SHOP_DATABASE_URL=shop.hall.url) == "[0, 3]\n"


def test_the_workers_run_in_a_process_of_their_own(shop: Shop, outside: Outside, tmp_path: Path) -> None:
    shop.place("A-1", 0)
    shop.hall.end_the_payment_window()
    port = free_port()
    command = ("flask", "--app", "flask_shop", "workers", "--port", str(port))
    with outside.running(*command, cwd=tmp_path, SHOP_DATABASE_URL=shop.hall.url) as process:
        acted_on = "booking.outbox WHERE published_at IS NOT NULL"
        wait_until(lambda: shop.hall.count(acted_on) == 3, process)  # created, expired, cancelled
        ready = httpx2.get(f"http://127.0.0.1:{port}/readyz")
        metrics = httpx2.get(f"http://127.0.0.1:{port}/metrics").text

    assert (process.returncode, ready.status_code) == (0, 200)
    assert "booking_bookings_expired_total 1.0" in metrics
    assert 'booking_task_passes_total{outcome="failed",task="events"} 0.0' in metrics


def test_a_seat_that_somebody_keeps_locked_is_busy_and_nothing_is_written(shop: Shop) -> None:
    with psycopg.connect(shop.hall.url) as connection:
        connection.execute("SELECT 1 FROM booking.seats FOR UPDATE")
        answer = shop.place("A-1", 0)

    assert refusal(answer) == (503, "SERVICE_BUSY")
    assert answer.headers["Retry-After"] == "1"
    assert shop.books == {"orders": 0, "bookings": 0}
