"""What commits late is not skipped: writers frozen between their write and their commit, while relays run and others
commit later things (what a cursor over numbers or times of rows would lose).
"""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

import pytest

from booking_dev.tokens import DevTokens
from tests.integration.kafka.service import Service, first_appearances, message, stop
from tests.support.jwks import Jwks
from tests.support.live import BOOKINGS, Live
from tests.support.postgres.stage import Stage, until
from tests.support.processes import environment

_WRITER: Final = Path(__file__).with_name("slow_writer.py")
_STEPS: Final = 4
_EVENTS: Final = 5
# What is held waits within its COMMIT, when everything is written and nobody else sees it.
_HOLD: Final = """
    CREATE TABLE public.held (correlation_id text);
    CREATE FUNCTION wait_while_held() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        WHILE EXISTS (SELECT FROM public.held h WHERE h.correlation_id = NEW.correlation_id)
        LOOP PERFORM pg_sleep(0.01); END LOOP;
        RETURN NULL;
    END $$;
    CREATE CONSTRAINT TRIGGER wait_while_held AFTER INSERT ON booking.outbox DEFERRABLE INITIALLY DEFERRED
        FOR EACH ROW EXECUTE FUNCTION wait_while_held();
"""
_COMMITTING: Final = (
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'PgSleep'"
)


class Writer:
    """The other service, as a process."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def freeze_when_written(self) -> None:
        self._expect("written")
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """It commits, and goes on to write its next step."""
        assert self._process.stdin is not None
        self._process.stdin.write("go on\n")
        self._process.stdin.flush()
        self._process.send_signal(signal.SIGCONT)
        self._expect("committed")

    def _expect(self, word: str) -> None:
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == f"{word}\n", self._process.communicate(timeout=60)


@contextmanager
def writing(stage: Stage, place: int) -> Iterator[Writer]:
    [seat_id] = stage.fixture.ids(place)
    process = subprocess.Popen(
        [sys.executable, str(_WRITER), stage.url, str(stage.fixture.event.event_id), str(seat_id), f"writer-{place}"],
        env=environment(stage.url),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield Writer(process)
    finally:
        process.kill()
        process.communicate(timeout=60)


def all_is_published(stage: Stage) -> bool:
    return bool(stage.ask("SELECT count(*) = 0 FROM booking.outbox WHERE published_at IS NULL"))


def live_on(stage: Stage, place: int) -> None:
    """Somebody else's booking, which is over before the frozen ones go on."""
    booking = stage.fixture.reserve(place, user=f"somebody-{place}")
    stage.fixture.pay(booking)
    stage.fixture.pay(booking, "pay-2")
    stage.fixture.cancel(booking)


def test_processes_frozen_before_their_commits_are_not_skipped(service: Service) -> None:
    stage = service.stage
    stage.set_up(seats=3 + 2 * _STEPS)
    others = iter(range(3, 3 + 2 * _STEPS))
    with ExitStack() as running:
        relays = [running.enter_context(service.running("relay")) for _ in range(2)]
        writers = [running.enter_context(writing(stage, place)) for place in range(3)]
        for step in range(_STEPS):
            for writer in writers:
                writer.freeze_when_written()
            for thawing in range(len(writers)):
                if thawing < 2:
                    live_on(stage, next(others))
                    until(lambda: all_is_published(stage), "what was committed meanwhile is published")
                writers[(step + thawing) % 3].thaw()
        until(lambda: all_is_published(stage), "all is published")
        stop(relays)

    told = first_appearances(service.events())
    assert len(told) == 3 + 2 * _STEPS
    assert all(list(numbers) == list(range(1, _EVENTS + 1)) for numbers in told.values()), told


@pytest.mark.slow("all programs at once")
def test_an_api_that_is_frozen_while_it_commits_loses_nothing(service: Service, tokens: DevTokens, jwks: Jwks) -> None:
    stage = service.stage
    stage.set_up(seats=8)
    stage.door.execute(_HOLD)
    with ExitStack() as running:
        relays = [running.enter_context(service.running("relay")) for _ in range(2)]
        api = running.enter_context(Live.over(stage, tokens, jwks, **service.settings()))
        asking = running.enter_context(ThreadPoolExecutor(2))
        held = []
        for place in range(2):
            stage.door.execute("INSERT INTO held VALUES (%s)", [f"held-{place}"])
            held.append(
                asking.submit(
                    api.customer(f"patient-{place}").call,
                    "POST",
                    BOOKINGS,
                    api.order(place),
                    X_Correlation_Id=f"held-{place}",
                )
            )
            # One after the other: requests that arrive together may share a transaction.
            committing = place + 1
            until(lambda number=committing: stage.ask(_COMMITTING) == number, f"{committing} are about to commit")  # type: ignore[misc]
        os.killpg(api.process.pid, signal.SIGSTOP)
        for place in range(2, 5):
            live_on(stage, place)
        until(lambda: all_is_published(stage), "what was committed meanwhile is published")
        stage.door.execute("DELETE FROM held WHERE correlation_id = 'held-1'")
        live_on(stage, 5)
        stage.door.execute("DELETE FROM held")
        os.killpg(api.process.pid, signal.SIGCONT)
        answers = [each.result() for each in held]
        until(lambda: all_is_published(stage), "all is published")
        stop(relays)

    records = service.events()
    told = first_appearances(records)
    assert sorted(map(list, told.values())) == [[1], [1]] + [[1, 2, 3, 4, 5]] * 4
    assert [answer.status for answer in answers] == [201, 201]
    promised = {answer.data["bookingId"] for answer in answers}
    assert {message(each)["payload"]["bookingId"] for each in records if len(told[each.key]) == 1} == promised
