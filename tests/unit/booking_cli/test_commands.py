"""Every command that needs no process of its own: output, JSON, exit codes, and what it demands."""

import io
import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Never
from uuid import UUID

import pytest
import structlog

from booking_api.auth.keys import FixedKeys
from booking_api.auth.verifier import TokenVerifier
from booking_cli.invocation import Invocation
from booking_cli.main import cli, run
from booking_core.application import Effect, apply_payments, cancel, close_event
from booking_core.domain.commands import CancelBooking, CancelEvent
from booking_core.domain.errors import ServiceBusy
from booking_core.domain.values import Terms
from booking_core.messages.payment_messages import Skipped, parse
from booking_core.ports import Health, HealthKind
from booking_dev.tokens import AUDIENCE, ISSUER, DevTokens
from tests.support.workers import EVENT_ID, World, payment

# Without logs, so that what is on standard error is what the command says.
DATABASE = {"BOOKING_DATABASE_URL": "postgresql://db/booking", "BOOKING_LOG_LEVEL": "CRITICAL"}


@pytest.fixture
def world() -> Iterator[World]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield World()
    root.handlers[:], root.level = handlers, level
    logging.captureWarnings(False)
    structlog.reset_defaults()


class Booking:
    """The program, over the world's store."""

    def __init__(self, world: World, capsys: pytest.CaptureFixture[str]) -> None:
        self._world, self._capsys = world, capsys
        self.err = ""
        self.broker_timeout = 4.0

    def __call__(self, *arguments: str, code: int = 0, **environ: str) -> str:
        invocation = Invocation(
            environ=DATABASE | environ, compose=self._world.compose, broker_timeout=self.broker_timeout
        )
        assert run(arguments, invocation) == code
        out, self.err = self._capsys.readouterr()
        return out

    def json(self, *arguments: str, code: int = 0, **environ: str) -> Any:
        lines = self(*arguments, "--json", code=code, **environ).splitlines()
        assert len(lines) == 1
        return json.loads(lines[0])


class Terminal(io.StringIO):
    """Standard input at which a person sits, and what that person types."""

    def isatty(self) -> bool:
        return True


@pytest.fixture
def booking(world: World, capsys: pytest.CaptureFixture[str]) -> Booking:
    return Booking(world, capsys)


def confirm(world: World, *numbers: int, **changes: Any) -> UUID:

    made = world.reserve(*numbers)
    command = parse(payment(made.booking_id, number=numbers[0], amount=75.0 * len(numbers), **changes))
    assert not isinstance(command, Skipped)
    assert apply_payments([command], store=world.store, terms=Terms()) == [Effect.CHANGED]
    return made.booking_id


def test_expire_says_what_it_did(world: World, booking: Booking) -> None:
    world.reserve(1, 2)
    world.later(11)

    assert booking.json("expire") == {"expired": 1, "seatsReleased": 2}
    assert booking("expire") == "0 bookings expired, 0 seats released\n"
    world.reserve(3)
    world.later(11)
    assert booking("expire") == "1 booking expired, 1 seat released\n"


def test_expire_demands_the_database_alone(booking: Booking) -> None:
    booking("expire", BOOKING_EVENT_BUS="nonsense", BOOKING_CATALOG_URL="nonsense")


def test_show_has_the_booking_and_its_history(world: World, booking: Booking) -> None:
    booking_id = confirm(world, 1, 2)
    cancel(CancelBooking(user_id="ann", booking_id=booking_id, correlation_id="corr-x"), store=world.store)

    shown = booking.json("show", str(booking_id))

    assert (shown["bookingId"], shown["userId"], shown["status"]) == (str(booking_id), "ann", "CANCELLED")
    assert (shown["totalAmount"], shown["createdAt"]) == (150.0, "2026-03-01T10:00:00Z")
    assert shown["refund"]["amount"] == 150.0
    assert [entry["trigger"] for entry in shown["history"]] == ["RESERVE", "PAYMENT_SUCCESS", "CUSTOMER_CANCELS"]
    assert shown["history"][1] == {
        "number": 2,
        "at": "2026-03-01T10:00:00Z",
        "trigger": "PAYMENT_SUCCESS",
        "from": "PENDING",
        "to": "CONFIRMED",
        "actor": "PAYMENT_EVENT",
        "actorId": str(UUID(int=1001)),
        "correlationId": "corr-payment",
        "paymentId": "pay-1",
    }

    lines = [line.split("\t") for line in booking("show", str(booking_id)).splitlines()]
    assert lines[-4] == ["#", "at", "trigger", "from", "to", "by", "who", "payment", "note", "correlation"]
    assert lines[-3][2:] == ["RESERVE", "", "PENDING", "CUSTOMER", "ann", "", "", "corr-1"]
    assert lines[-2] == [
        *("2", "2026-03-01T10:00:00Z", "PAYMENT_SUCCESS", "PENDING", "CONFIRMED", "PAYMENT_EVENT"),
        *(str(UUID(int=1001)), "pay-1", "", "corr-payment"),
    ]
    assert (lines[-1][2], lines[-1][-1]) == ("CUSTOMER_CANCELS", "corr-x")


def test_an_unknown_booking_is_one_line(booking: Booking) -> None:
    assert booking("show", str(EVENT_ID), code=1) == ""
    assert booking.err == "error: BOOKING_NOT_FOUND There is no such booking\n"


def test_cancel_event_dry_run_and_for_real(world: World, booking: Booking) -> None:
    confirm(world, 1, 2)
    world.reserve(3)
    arguments = ("cancel-event", str(EVENT_ID), "--reason", "flood")
    expected = {
        "eventId": str(EVENT_ID),
        "bookings": 2,
        "seats": 3,
        "refunds": [{"currency": "USD", "amount": 150.0, "count": 1}],
    }

    assert booking.json(*arguments, "--dry-run") == expected
    assert list(world.store.reads.open_closures()) == []
    assert booking.json(*arguments) == expected
    again = CancelEvent(event_id=EVENT_ID, reason="fire", administrator="another", correlation_id="c")
    closure = close_event(again, store=world.store)
    assert (closure.finished, closure.reason, closure.administrator.startswith("cli")) == (True, "flood", True)
    assert booking.json(*arguments)["bookings"] == 0
    assert "0 bookings with 0 seats" in booking(*arguments)


def test_cancel_event_names_the_event_and_asks(world: World, booking: Booking, monkeypatch: pytest.MonkeyPatch) -> None:
    confirm(world, 1, 2)
    arguments = ("cancel-event", str(EVENT_ID), "--reason", "flood")

    monkeypatch.setattr("sys.stdin", Terminal("n\n"))
    assert booking(*arguments, code=1) == ""

    assert booking.err.splitlines() == [
        f"A concert, 2026-04-10T10:00:00Z, {EVENT_ID}",
        "1 booking with 2 seats would be cancelled",
        "1 refund of 150.00 USD",
        "Continue? [y/N]: error: not confirmed; nothing was changed",
    ]
    assert list(world.store.reads.open_closures()) == []
    monkeypatch.setattr("sys.stdin", Terminal(""))
    booking(*arguments, code=1)
    assert booking.err.endswith("error: interrupted\n")
    assert list(world.store.reads.open_closures()) == []
    monkeypatch.setattr("sys.stdin", Terminal("y\n"))
    assert booking.json(*arguments)["bookings"] == 1


def test_cancel_event_with_yes_asks_nothing(world: World, booking: Booking, monkeypatch: pytest.MonkeyPatch) -> None:
    world.reserve(3)
    monkeypatch.setattr("sys.stdin", Terminal(""))

    shown = booking("cancel-event", str(EVENT_ID), "--reason", "flood", "--yes")

    assert shown.splitlines() == [f"A concert, 2026-04-10T10:00:00Z, {EVENT_ID}", "1 booking with 1 seat cancelled"]
    assert booking.err == ""


@pytest.mark.parametrize("more", [[], ["--dry-run"]])
def test_an_unknown_event_can_not_be_cancelled(booking: Booking, more: list[str]) -> None:
    booking("cancel-event", str(UUID(int=5)), "--reason", "x", *more, code=1)

    assert booking.err == "error: EVENT_NOT_FOUND There is no such event\n"


def test_catalog_load(booking: Booking, world: World, tmp_path: Path) -> None:
    seats = [{"seatId": str(UUID(int=number)), "row": "B", "number": number, "price": 9.5} for number in (91, 92)]
    event = {
        "eventId": str(UUID(int=90)),
        "name": "Gala",
        "startsAt": "2030-05-01T19:00:00Z",
        "currency": "EUR",
        "seats": seats,
    }
    file = tmp_path / "events.json"
    file.write_text(json.dumps({"events": [event]}))

    assert booking.json("catalog", "load", str(file)) == {"events": 1, "seats": 2}
    assert booking("catalog", "load", str(file)) == "1 event with 2 seats\n"
    assert len(world.store.reads.seats(UUID(int=90)).seats) == 2

    file.write_text(json.dumps({"events": [event | {"seats": [*seats, {}]}]}))
    booking("catalog", "load", str(file), code=1)
    assert booking.err.startswith(f"error: {file}: ")
    assert "$.events[0].seats[2]" in booking.err


def test_catalog_sync_needs_a_catalog(booking: Booking) -> None:
    booking("catalog", "sync", str(EVENT_ID), code=2)

    assert booking.err.startswith("error: BOOKING_CATALOG_URL is not set")


def test_a_token_is_believed_by_dev(booking: Booking, tmp_path: Path) -> None:
    booking("token", "--user", "ann", "--data-dir", str(tmp_path), code=1)
    assert "`booking dev` makes it" in booking.err
    keys = DevTokens(tmp_path, ISSUER, AUDIENCE).jwks()
    verifier = TokenVerifier(issuer=ISSUER, audience=AUDIENCE, keys=FixedKeys(keys))

    plain = booking("token", "--user", "ann", "--data-dir", str(tmp_path)).strip()
    admin = booking.json("token", "--user", "root", "--admin", "--data-dir", str(tmp_path))["token"]

    assert verifier.verify_token(plain).identity.user_id == "ann"
    assert "booking:admin" not in verifier.verify_token(plain).claims["permissions"]
    assert "booking:admin" in verifier.verify_token(admin).claims["permissions"]


def test_the_schema(booking: Booking) -> None:
    assert booking("migrate") == "the schema is up to date\n"
    assert booking.json("migrate") == {"applied": []}


def test_a_missing_right_is_one_line(world: World, booking: Booking, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused() -> Never:
        raise PermissionError("the database says no: grant that right")

    monkeypatch.setattr(world.store.upkeep, "migrate", refused)

    booking("migrate", code=1)
    assert booking.err == "error: the database says no: grant that right\n"


def test_migrate_says_that_there_is_no_database(
    world: World, booking: Booking, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away() -> Never:
        raise ServiceBusy

    monkeypatch.setattr(world.store.upkeep, "migrate", away)
    booking("migrate", code=1)
    assert booking.err == "error: SERVICE_BUSY The service is busy, please try again\n"

    unreachable = Health(kind=HealthKind.UNREACHABLE, problem="the database cannot be reached")
    monkeypatch.setattr(world.store.upkeep, "health", lambda: unreachable)
    booking("migrate", code=1)
    assert booking.err == "error: the database cannot be reached\n"


@pytest.mark.parametrize("arguments", [["stats"], ["expire"], ["relay"], ["worker"], ["serve"]])
def test_no_command_starts_on_a_store_in_trouble(
    world: World, booking: Booking, arguments: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    old = Health(kind=HealthKind.OLD_SCHEMA, problem="the schema is old", remedy="run `booking migrate`")
    monkeypatch.setattr(world.store.upkeep, "health", lambda: old)
    environ = {
        "BOOKING_EVENT_BUS": "memory",
        "BOOKING_JWT_ISSUER": "https://t/",
        "BOOKING_JWT_AUDIENCE": "a",
    }

    booking(*arguments, code=1, **environ)

    assert booking.err == "error: the schema is old: run `booking migrate`\n"


@pytest.mark.parametrize(
    ("arguments", "environ", "complaint"),
    [
        (["expire"], {"BOOKING_DATABASE_URL": ""}, "error: BOOKING_DATABASE_URL is not set"),
        (["worker"], {}, "error: BOOKING_KAFKA_BOOTSTRAP_SERVERS is not set"),
        (["serve"], {}, "error: BOOKING_JWT_ISSUER is not set"),
        (["expire", "--every", "0"], {}, "Usage: booking expire"),
        (["show", "7"], {}, "Usage: booking show"),
        (["cancel-event", str(EVENT_ID)], {}, "Usage: booking cancel-event"),
        (["nonsense"], {}, "Usage: booking"),
    ],
)
def test_wrong_use_is_code_2(booking: Booking, arguments: list[str], environ: dict[str, str], complaint: str) -> None:
    booking(*arguments, code=2, **environ)

    assert booking.err.startswith(complaint)


@pytest.mark.parametrize("more", [[], ["--dry-run"]])
def test_a_value_that_the_domain_refuses_is_wrong_use(booking: Booking, more: list[str]) -> None:
    booking("cancel-event", str(EVENT_ID), "--reason", "", *more, code=2)

    assert booking.err.endswith("Invalid value for --reason: reason must be a text of 1 to 255 characters\n")


def paths() -> list[tuple[str, ...]]:
    found: list[tuple[str, ...]] = [()]
    for name, command in cli.load_all().items():
        found += [(name,), *((name, each) for each in getattr(command, "commands", ()))]
    return found


@pytest.mark.parametrize("path", paths(), ids=" ".join)
def test_every_command_helps_with_an_example(booking: Booking, path: tuple[str, ...]) -> None:
    helped = booking(*path, "--help")

    assert "Example:" in helped
    assert f"booking {' '.join(path)}" in helped.partition("Example:")[2]


def test_the_version(booking: Booking) -> None:
    assert booking("--version").startswith("booking, version ")
