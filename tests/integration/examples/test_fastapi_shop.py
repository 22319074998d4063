"""The example shop in FastAPI, served for real, beside `booking worker` on the example bus in a file."""

import hmac
import json
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from uuid import uuid4

import httpx2
import psycopg
import pytest

from tests.integration.examples.hall import Hall
from tests.integration.examples.outside import Outside
from tests.support.postgres.fixtures import databases
from tests.support.processes import wait_until

SECRET = "between the shop and its payment provider"
MIGRATE = "from fastapi_shop.app import migrate; migrate()"
READ_BUS = """
import json, sys
from pathlib import Path
from booking_sqlite_bus.bus import SqliteEventBus
bus = SqliteEventBus(Path(sys.argv[1]))
for each in bus.subscribe("booking.events", "a-reader").poll(5):
    print(json.loads(each.value)["eventType"], dict(each.headers)["correlation_id"].decode())
bus.close()
"""

PAY_ON_BUS = """
import sys
from pathlib import Path
from booking_core.ports import Message
from booking_sqlite_bus.bus import SqliteEventBus
bus = SqliteEventBus(Path(sys.argv[1]))
bus.publish("payment.events", [Message(key=sys.argv[2].encode(), value=sys.argv[3].encode())])
bus.close()
"""


@pytest.fixture(scope="module")
def hall(outside: Outside, postgres_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hall]:
    """A database that the shop's own code has migrated."""
    with databases(postgres_url) as create:
        hall = Hall(create())
        outside.run("python", "-c", MIGRATE, cwd=tmp_path_factory.mktemp("migrate"), SHOP_DATABASE_URL=hall.url)
        yield hall


@pytest.fixture(scope="module")
def server(outside: Outside, hall: Hall, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx2.Client]:
    settings = {"SHOP_DATABASE_URL": hall.url, "SHOP_PAYMENT_SECRET": SECRET}
    home = tmp_path_factory.mktemp("fastapi")
    with outside.serving("asgi", "fastapi_shop:create_app", cwd=home, **settings) as client:
        yield client


@pytest.fixture
def shop(server: httpx2.Client, hall: Hall) -> "Shop":
    tables = "shop.orders, shop.vouchers, booking.bookings, booking.claims, booking.holds, booking.outbox"
    hall.do(f"TRUNCATE {tables} CASCADE")
    hall.event_id = uuid4()
    hall.open()
    hall.do("INSERT INTO shop.vouchers VALUES ('DRINK')")
    return Shop(server, hall)


class Shop:
    """What customers do, and what is in the database afterwards."""

    def __init__(self, client: httpx2.Client, hall: Hall) -> None:
        self.client, self.hall = client, hall

    def place(self, number: str, *places: int, customer: str = "ada", voucher: str | None = None) -> httpx2.Response:
        seat_ids = [self.hall.seat_ids[place] for place in places]
        body = {"number": number, "event_id": str(self.hall.event_id), "seat_ids": seat_ids, "voucher": voucher}
        return self.client.post("/orders", json=body, headers={"X-Customer": customer})

    def show(self, number: str, customer: str = "ada") -> httpx2.Response:
        return self.client.get(f"/orders/{number}", headers={"X-Customer": customer})

    def pay(self, number: str, amount: str = "75.00", secret: str = SECRET) -> httpx2.Response:
        said = {"message_id": str(uuid4()), "order": number, "payment_id": "p-1", "amount": amount, "currency": "USD"}
        return self.post_signed(json.dumps(said).encode(), secret)

    def post_signed(self, body: bytes, secret: str = SECRET) -> httpx2.Response:
        signature = hmac.new(secret.encode(), body, "sha256").hexdigest()
        return self.client.post("/payments", content=body, headers={"X-Signature": signature})

    @property
    def books(self) -> tuple[int, int, int]:
        """How many orders, bookings and unused vouchers there are."""
        unused = self.hall.count("shop.vouchers WHERE used_for IS NULL")
        return self.hall.count("shop.orders"), self.hall.count("booking.bookings"), unused


def payment_message(booking_id: str) -> str:
    """What a Payment Service says on `payment.events`."""
    payload = {"bookingId": booking_id, "paymentId": "p-1", "amount": 75.0, "currency": "USD"}
    envelope = {"eventId": str(uuid4()), "eventType": "payment.success", "version": "1.0", "correlationId": "A-2"}
    return json.dumps(envelope | {"timestamp": "2026-01-01T00:00:00Z", "payload": payload})


def refusal(response: httpx2.Response) -> tuple[int, str]:
    return response.status_code, response.json()["code"]


def test_from_the_order_to_the_ticket(shop: Shop) -> None:
    placed = shop.place("A-1", 0, 1, voucher="DRINK")
    assert (placed.status_code, placed.json()["total"]) == (201, "150.00"), placed.text
    assert shop.books == (1, 1, 0)

    assert shop.pay("A-1", "150.00", secret="a guess").status_code == 403
    assert shop.show("A-1").json()["status"] == "PENDING"
    assert shop.pay("A-1", "150.00").json() == {"changed": True}
    assert shop.show("A-1").json()["status"] == "CONFIRMED"
    assert shop.show("A-1").json()["ticket"]
    assert refusal(shop.show("A-1", "eve")) == (404, "BOOKING_NOT_FOUND")

    seats = shop.client.get(f"/events/{shop.hall.event_id}/seats").json()["seats"]
    assert Counter(each["status"] for each in seats) == {"SOLD": 2, "AVAILABLE": 18}


def test_when_the_booking_is_refused_the_voucher_is_as_good_as_before(shop: Shop) -> None:
    shop.place("A-1", 0)

    refused = shop.place("A-2", 0, 1, customer="bob", voucher="DRINK")

    assert refusal(refused) == (409, "SEAT_ALREADY_RESERVED")
    assert refused.json()["details"] == {"unavailableSeatIds": [shop.hall.seat_ids[0]]}
    assert shop.books == (1, 1, 1)


def test_when_the_shop_refuses_there_is_no_booking(shop: Shop) -> None:
    assert refusal(shop.place("A-1", 0, voucher="NONE")) == (409, "VOUCHER_NOT_VALID")
    assert shop.books == (0, 0, 1)
    shop.place("A-1", 0)

    assert refusal(shop.place("A-1", 1, customer="bob", voucher="DRINK")) == (409, "ORDER_EXISTS")

    assert shop.books == (1, 1, 1)
    assert shop.hall.count("booking.claims") == 1


def test_twelve_customers_one_seat_and_one_voucher(shop: Shop) -> None:
    with ThreadPoolExecutor(12) as pool:
        answers = list(pool.map(lambda n: shop.place(f"A-{n}", 7, customer=f"c-{n}", voucher="DRINK"), range(12)))

    assert Counter(answer.status_code for answer in answers) == {201: 1, 409: 11}
    assert shop.books == (1, 1, 0)
    assert shop.hall.count("booking.claims") == 1


def test_requests_that_wait_for_a_seat_do_not_stop_the_others(shop: Shop) -> None:
    """All eight threads but one wait for a lock; what is awaited on the event loop, and the last thread, go on."""
    blocked = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
    with ThreadPoolExecutor(7) as pool:
        with psycopg.connect(shop.hall.url) as connection:
            connection.execute("SELECT 1 FROM booking.seats FOR UPDATE")
            waiting = [pool.submit(shop.place, f"A-{n}", n, customer=f"c-{n}") for n in range(7)]
            blocked = (
                "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
            )
            wait_until(lambda: shop.hall.ask(blocked) == [(7,)])
            begun = time.monotonic()
            assert shop.show("A-0").status_code == 404
            assert shop.pay("A-0", secret="a guess").status_code == 403
            assert time.monotonic() - begun < 1.5, "before the waits of 2 s were over"
        assert {each.result().status_code for each in waiting} <= {201, 503}


def test_what_the_provider_signed_and_nobody_understands(shop: Shop) -> None:
    answer = shop.post_signed(b'{"order": 1}')

    assert answer.status_code == 422
    assert shop.pay("no such order").status_code == 404


def test_the_worker_beside_it_ends_holds_and_tells_the_world(shop: Shop, outside: Outside, tmp_path: Path) -> None:
    bus = tmp_path / "bus.db"
    settings = {
        "BOOKING_DATABASE_URL": shop.hall.url,
        "BOOKING_EVENT_BUS": "sqlite",
        "BOOKING_SQLITE_BUS_PATH": str(bus),
    }
    shop.place("A-1", 0)
    shop.hall.end_the_payment_window()
    booking_id = shop.place("A-2", 1).json()["booking_id"]
    outside.run("python", "-c", PAY_ON_BUS, bus, booking_id, payment_message(booking_id), cwd=tmp_path)

    with outside.running("booking", "worker", cwd=tmp_path, **settings) as worker:
        written = "SELECT DISTINCT status FROM booking.bookings ORDER BY status"
        wait_until(lambda: shop.hall.ask(written) == [("CANCELLED",), ("CONFIRMED",)], worker)
        wait_until(lambda: shop.hall.count("booking.outbox WHERE published_at IS NULL") == 0, worker)

    assert sorted(outside.run("python", "-c", READ_BUS, bus, cwd=tmp_path).splitlines()) == [
        "booking.cancelled A-1",
        "booking.confirmed A-2",
        "booking.created A-1",
        "booking.created A-2",
        "booking.expired A-1",
    ]
