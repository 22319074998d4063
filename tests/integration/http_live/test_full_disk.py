"""A full disk under `booking serve`: SERVICE_BUSY for customers, its name for operators, and recovery by itself."""

import json
import urllib.error
import urllib.request

from tests.support.live import BOOKINGS, Live
from tests.support.postgres.stage import Stage
from tests.support.processes import wait_until


def readiness(live: Live) -> str:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{live.port}/readyz", timeout=10) as answer:
            return str(json.load(answer)["data"]["status"])
    except urllib.error.HTTPError as refusal:
        with refusal:
            error = json.load(refusal)["error"]
            assert "words of the server" not in error["message"]
            return str(error["details"].get("reason"))


def test_customers_are_told_busy_and_operators_the_name(own_live: Live, stage: Stage) -> None:
    body = "BEGIN RAISE EXCEPTION 'words of the server' USING ERRCODE = '53100'; END"
    stage.door.execute(f"CREATE FUNCTION broken() RETURNS trigger LANGUAGE plpgsql AS $${body}$$")
    stage.door.execute("CREATE TRIGGER broken BEFORE INSERT ON booking.bookings EXECUTE FUNCTION broken()")

    for number in range(4):
        answer = own_live.customer(f"ada-{number}").call("POST", BOOKINGS, own_live.order(number))
        assert answer.refusal == (503, "SERVICE_BUSY")
        assert answer.headers["Retry-After"]
        assert b"words of the server" not in answer.body
    # Each process tries by itself, and each probe may reach another one.
    wait_until(lambda: all(readiness(own_live) == "disk_full" for _ in range(8)), own_live.process)
    stage.door.execute("DROP FUNCTION broken CASCADE")
    wait_until(lambda: all(readiness(own_live) == "READY" for _ in range(8)), own_live.process)
    assert own_live.customer("ada").call("POST", BOOKINGS, own_live.order(0)).status == 201
