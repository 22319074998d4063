"""`booking stats`: what is counted, and when `--check` fails."""

import threading
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime

import pytest

from booking_core.application import cancel, close_event
from booking_core.domain.commands import CancelBooking, CancelEvent
from booking_core.ports.event_bus import Message
from tests.support.workers import EVENT_ID, World
from tests.unit.booking_cli.commands.test_replay import LastingBus
from tests.unit.booking_cli.test_commands import Booking, confirm
from tests.unit.booking_cli.test_commands import booking as booking
from tests.unit.booking_cli.test_commands import world as world

# In the order of the table.
ROWS = ("holdsEndingSoon", "holdsOverdue", "outbox", "unansweredRefunds", "openClosures", "deadLetters")


def publish_all(world: World) -> None:
    world.store.outbox.mark_published(world.store.outbox.unpublished(100))


def test_stats(world: World, booking: Booking) -> None:
    world.reserve(1)
    confirm(world, 2)

    world.later(9.5)

    assert booking.json("stats") == {
        "byStatus": {"PENDING": 1, "PROCESSING": 0, "CONFIRMED": 1, "CANCELLED": 0},
        "outbox": 3,
        "deadLetters": None,
        "unansweredRefunds": 0,
        "holdsEndingSoon": 1,
        "holdsOverdue": 0,
        "openClosures": 0,
        "oldestSeconds": {
            "holdsOverdue": None,
            "outbox": 570.0,
            "unansweredRefunds": None,
            "openClosures": None,
            "deadLetters": None,
        },
    }
    shown = booking("stats")
    assert "CONFIRMED\t1" in shown
    assert "holds that end in 60 s\t1" in shown


def test_json_has_every_row_of_the_table(world: World, booking: Booking) -> None:
    world.bus = LastingBus()
    world.bus.publish("booking.dead-letters", [Message(key=b"k", value=b"not JSON")])

    counted = booking.json("stats", BOOKING_EVENT_BUS="memory")
    rows = [line.split("\t") for line in booking("stats", BOOKING_EVENT_BUS="memory").splitlines() if "\t" in line]

    numbers = [*counted.pop("byStatus").values(), *(counted[name] for name in ROWS)]
    assert [str(number) for number in numbers] == [row[1] for row in rows if row[1].isdecimal()]


def test_a_young_refund_is_neither_counted_nor_the_oldest(world: World, booking: Booking) -> None:
    made = confirm(world, 1)
    cancel(CancelBooking(user_id="ann", booking_id=made, correlation_id="corr-x"), store=world.store)
    world.later(19)

    assert "refunds without answer\t0\t\n" in booking("stats")
    assert booking.json("stats")["oldestSeconds"]["unansweredRefunds"] is None
    world.later(41)
    assert "refunds without answer\t1\t3600 s\n" in booking("stats")


def test_stats_check_fails_when_something_waits_for_too_long(world: World, booking: Booking) -> None:
    booking("stats", "--check")
    world.reserve(1)
    world.later(14)

    booking("stats", "--check", code=1)

    assert "1 overdue booking waits for a sweep, the oldest for 240 s" in booking.err
    assert "1 event waits to be published, the oldest for 840 s" in booking.err
    assert len(booking.err.splitlines()) == 1


def test_check_gives_refunds_an_hour(world: World, booking: Booking) -> None:
    made = confirm(world, 1)
    cancel(CancelBooking(user_id="ann", booking_id=made, correlation_id="corr-x"), store=world.store)
    publish_all(world)
    world.later(60)

    booking("stats", "--check")
    world.later(1)
    booking("stats", "--check", code=1)

    assert booking.err == "error: 1 refund waits for the Payment Service, the oldest for 3660 s\n"


def test_check_tells_of_a_cancelled_event_whose_bookings_nobody_ends(world: World, booking: Booking) -> None:
    world.reserve(1)
    command = CancelEvent(event_id=EVENT_ID, reason="flood", administrator="root", correlation_id="corr")
    close_event(command, store=world.store)
    publish_all(world)
    world.later(2)

    booking("stats", "--check")
    world.later(1)
    booking("stats", "--check", code=1)

    assert booking.err == "error: 1 cancelled event waits for the end of its bookings, the oldest for 180 s\n"
    assert "events being cancelled\t1\t180 s" in booking("stats")


def test_check_gives_dead_letters_an_hour(world: World, booking: Booking) -> None:
    world.now = datetime.now(UTC)  # the bus has a clock of its own
    world.bus = LastingBus()
    world.bus.publish("booking.dead-letters", [Message(key=b"k", value=b"not JSON")])

    booking("stats", "--check", BOOKING_EVENT_BUS="memory")
    world.later(61)
    booking("stats", "--check", code=1, BOOKING_EVENT_BUS="memory")

    assert booking.err == "error: 1 dead letter waits for a replay, the oldest for 3660 s\n"
    assert "dead letters\t1\t3660 s" in booking("stats", BOOKING_EVENT_BUS="memory")
    assert "dead letters\tnot counted" in booking("stats")


class SilentBus(LastingBus):
    """A bus whose brokers take a question and do not answer, until the test is over."""

    def __init__(self) -> None:
        super().__init__()
        self.over = threading.Event()

    def backlog(self, topic: str, group: str) -> Mapping[int, range]:
        self.over.wait(60)
        return super().backlog(topic, group)


@pytest.fixture
def silent_bus(world: World) -> Iterator[SilentBus]:
    world.bus = bus = SilentBus()
    yield bus
    bus.over.set()


def test_check_fails_at_the_timeout_if_the_broker_is_silent(booking: Booking, silent_bus: SilentBus) -> None:
    booking.broker_timeout = 0.05

    shown = booking("stats", "--check", code=1, BOOKING_EVENT_BUS="memory")

    assert not silent_bus.over.is_set()
    assert "dead letters\tnot counted" in shown
    assert booking.err == "error: dead letters are not counted: no answer from the event bus within 0.05 s\n"


def test_stats_without_check_reports_a_silent_broker(booking: Booking, silent_bus: SilentBus) -> None:
    booking.broker_timeout = 0.05

    assert booking.json("stats", BOOKING_EVENT_BUS="memory")["deadLetters"] is None
    assert booking.err == "error: dead letters are not counted: no answer from the event bus within 0.05 s\n"
