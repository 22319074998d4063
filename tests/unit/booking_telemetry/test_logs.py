"""What callers and strangers write never becomes a line of the log, and what lets somebody in never gets there."""

import json
import logging
import re
from pathlib import Path
from typing import Any

import pytest
import structlog
from structlog.testing import capture_logs
from werkzeug.test import EnvironBuilder

from booking_core import ServiceBusy
from booking_dev.tokens import DevTokens
from booking_telemetry import logs
from tests.support.api import ANN, AUDIENCE, BOOKINGS, ISSUER, Api
from tests.support.workers import EVENT_ID, World, seat_id

HOSTILE = 'x\r\n{"event": "forged"}\u2028\x85\x0b\x00\x1b[2J\udcff%s%n{}'
PASSWORD = "hunter2hunter2"


@pytest.fixture(params=["json", "console"])
def form(request: pytest.FixtureRequest, ours_alone: None) -> str:
    """Both forms."""
    return str(request.param)


@pytest.fixture
def issuer(tmp_path: Path) -> DevTokens:
    return DevTokens(tmp_path, ISSUER, AUDIENCE)


def lines(form: str, capsys: pytest.CaptureFixture[str], number: int) -> list[str]:
    """What was written, cut where any reader of lines would cut."""
    text = capsys.readouterr().err
    found = text.splitlines()
    assert len(found) == number, text
    assert not [letter for line in found for letter in line if not letter.isprintable()]
    if form == "json":
        assert all(json.loads(line)["level"] for line in found)
    return found


@pytest.mark.parametrize(
    "write",
    [
        lambda log: log.info("said", text=HOSTILE),
        lambda log: log.info(HOSTILE),
        lambda log: log.info("said", deep={"list": [HOSTILE, HOSTILE.encode("utf-8", "replace")]}),
        lambda log: log.info("said", **{HOSTILE: "a key"}),
        lambda log: logging.getLogger("library").warning("%s", HOSTILE),
        lambda log: logging.getLogger(HOSTILE).warning("a name"),
        lambda log: log.error("failed", exc_info=ValueError(HOSTILE)),
        lambda log: logging.getLogger("library").error("failed", exc_info=ValueError(HOSTILE)),
    ],
)
def test_a_record_is_one_line_whoever_wrote_it(form: str, write: Any, capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("DEBUG", form, [PASSWORD])
    write(structlog.get_logger("ours"))

    lines(form, capsys, 1)


def test_what_lets_somebody_in_is_masked_wherever_it_is(
    form: str, issuer: DevTokens, capsys: pytest.CaptureFixture[str]
) -> None:
    logs.configure("DEBUG", form, [PASSWORD])
    token = issuer.sign(ANN)
    log = structlog.get_logger("ours")

    log.info("said", text=f"GET /x?access_token={token}", header=f"authorization: Bearer {token}", other="bearer abc.d")
    log.info("said", Authorization="abc.d", cookie="abc.d", nested={"client_secret": "abc.d"}, api_key="abc.d")
    log.info("said", url=f"postgresql://me:{PASSWORD}@db/x and http://u:abc.d@h/", plain=f"it is {PASSWORD}!")
    log.error("failed", exc_info=RuntimeError(f"{token} {PASSWORD}"))
    logging.getLogger("library").warning("sent %s with %s", {"token": token}, f"BEARER {token}")

    text = "".join(lines(form, capsys, 5))
    assert all(secret not in text for secret in (token, token.split(".")[2], PASSWORD, "abc.d"))
    assert "***" in text


def test_what_is_no_secret_stays(form: str, capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("DEBUG", form, [PASSWORD])
    structlog.get_logger("ours").info("said", reason="bearer of good news, expired", key="eyJust a word. And. so", n=7)

    text = "".join(lines(form, capsys, 1))
    assert "expired" in text
    assert "eyJust a word. And. so" in text


def hostile_call(api: Api, token: str, **environ: Any) -> int:
    """Past every client that would refuse to send it: what a server with no manners may hand over."""
    builder = EnvironBuilder(path="/", method="GET")
    given = builder.get_environ() | {"HTTP_AUTHORIZATION": f"Bearer {token}"} | environ
    statuses: list[str] = []

    def start_response(status: str, *_: Any) -> Any:
        statuses.append(status)

    list(api.client.application(given, start_response))
    return int(statuses[0][:3])


def test_a_hostile_request_leaves_one_harmless_line(
    form: str, issuer: DevTokens, capsys: pytest.CaptureFixture[str]
) -> None:
    logs.configure("DEBUG", form, [PASSWORD])
    world = World()
    api, token = Api(world.store, issuer), issuer.sign(ANN)
    wire = HOSTILE.encode("utf-8", "replace").decode("latin-1")
    calls: list[dict[str, Any]] = [
        {"PATH_INFO": f"{BOOKINGS}/{wire}"},
        {"PATH_INFO": wire},
        {"PATH_INFO": f"{BOOKINGS}/my", "QUERY_STRING": f"status={wire}&token={token}"},
        {"PATH_INFO": f"{BOOKINGS}/my", "HTTP_USER_AGENT": wire, "HTTP_X_CORRELATION_ID": wire, "HTTP_ORIGIN": wire},
        {"PATH_INFO": f"{BOOKINGS}/my", "HTTP_AUTHORIZATION": f"Bearer {wire}"},
        {"PATH_INFO": f"{BOOKINGS}/my", "HTTP_AUTHORIZATION": f"{wire} {token}"},
        {"PATH_INFO": "/healthz", "REQUEST_METHOD": wire},
        {"PATH_INFO": f"{BOOKINGS}/my", "HTTP_HOST": wire, "REMOTE_ADDR": wire, "HTTP_TRACEPARENT": wire},
    ]
    for call in calls:
        assert hostile_call(api, token, **call) < 500
        [line] = lines(form, capsys, 1)
        assert "forged" not in line
        assert token not in line
        assert ANN not in line

    bodies = (
        HOSTILE,
        {"eventId": HOSTILE, "seatIds": [HOSTILE]},
        {"eventId": str(EVENT_ID), "seatIds": [], HOSTILE: 1},
    )
    for body in bodies:
        assert api.post(BOOKINGS, body, headers={"Idempotency-Key": "k"}).status_code == 400
        [line] = lines(form, capsys, 1)
        assert "forged" not in line


def test_a_line_names_correlation_booking_and_the_users_pseudonym(
    form: str, issuer: DevTokens, capsys: pytest.CaptureFixture[str]
) -> None:
    logs.configure("DEBUG", form, [PASSWORD])
    api = Api(World().store, issuer)
    body = {"eventId": str(EVENT_ID), "seatIds": [str(seat_id(1))]}

    made = api.post(BOOKINGS, body, headers={"X-Correlation-Id": "c-1"})
    [line] = lines(form, capsys, 1)

    assert made.status_code == 201
    assert made.json is not None
    assert made.json["data"]["bookingId"] in line
    if form == "json":
        record = json.loads(line)
        assert record["correlation_id"] == "c-1"
        assert len(record["user"]) == 16
    assert ANN not in line


def test_whatever_is_logged_during_a_request_has_its_correlation_id(
    form: str, issuer: DevTokens, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    logs.configure("DEBUG", form, [PASSWORD])

    def fail(*_: Any, **__: Any) -> Any:
        logging.getLogger("booking_catalog").warning("of somebody who knows nothing of requests")
        raise ServiceBusy

    monkeypatch.setattr("booking_api.routes.bookings.list_bookings", fail)
    Api(World().store, issuer).get(f"{BOOKINGS}/my", headers={"X-Correlation-Id": "c-2"})

    said, request = lines(form, capsys, 2)
    assert "c-2" in said
    assert "c-2" in request


def test_json_begins_with_what_is_read_first(form: str, capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("DEBUG", form)
    structlog.get_logger("ours").warning("said", path="/a")

    (line,) = lines(form, capsys, 1)
    if form == "json":
        assert list(json.loads(line)) == ["timestamp", "level", "event", "path", "logger"]


@pytest.mark.parametrize("form", ["json", "console"])
def test_a_record_is_one_line_without_secrets(form: str, capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("INFO", form, ["hunter22"])
    log: Any = structlog.get_logger("ours")

    log.info("a.b", token="abc", deep={"password": "def", "list": ["hunter22"]}, text="one\ntwo \x1b[31m")
    logging.getLogger("theirs").warning("at %s\r\nhunter22", "postgresql://u:ghi@db/x")
    log.debug("not shown")
    try:
        raise ValueError("hunter22\nmore")
    except ValueError:
        log.exception("failed")

    out, err = capsys.readouterr()
    assert out == ""
    assert len(err.splitlines()) == 3
    assert all(secret not in err for secret in ("hunter22", "abc", "def", "ghi", "\x1b[31m"))
    assert "Traceback" in err


def test_a_json_record_says_who_when_and_how_bad(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("INFO", "json")

    logging.getLogger("theirs").error("it is %d", 7)

    record = json.loads(capsys.readouterr().err)
    assert (record["event"], record["level"], record["logger"]) == ("it is 7", "error", "theirs")
    assert record["timestamp"].endswith("Z")


def test_a_line_of_ours_is_written_as_one_of_a_library(form: str, capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("INFO", form, [PASSWORD])

    text = f"é {PASSWORD} 100% {HOSTILE}"
    structlog.get_logger("both").warning(text)
    logging.getLogger("both").warning(text)

    ours, theirs = (re.sub(r"20[0-9-]+T[0-9:.]+Z", "then", line) for line in lines(form, capsys, 2))
    assert ours == theirs


def test_the_access_log_follows_a_later_configuration(
    form: str, issuer: DevTokens, capsys: pytest.CaptureFixture[str]
) -> None:
    api = Api(World().store, issuer)
    logs.configure("INFO", form)
    api.get(f"{BOOKINGS}/my")
    lines(form, capsys, 1)

    logs.configure("INFO", form, ["/api/v1"])
    api.get(f"{BOOKINGS}/my")
    [line] = lines(form, capsys, 1)
    assert "***" in line

    with capture_logs() as captured:
        api.get(f"{BOOKINGS}/my")
    assert [each["event"] for each in captured] == ["request"]
    lines(form, capsys, 0)


def test_the_level_holds_for_everybody(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("ERROR", "json")

    logging.getLogger("theirs").warning("no")
    structlog.get_logger("ours").warning("no")

    assert capsys.readouterr().err == ""
