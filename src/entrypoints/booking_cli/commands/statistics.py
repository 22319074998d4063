"""`booking stats`: counts of everything that waits."""

from collections.abc import Callable
from concurrent.futures import Future
from datetime import datetime
from threading import Thread
from typing import Any, Final, TypeVar

import click
from attrs import frozen

from booking_cli.invocation import CommandFailed, Invocation, example, pass_invocation
from booking_cli.printing import counted, json_option, print_error, print_json, print_line, print_table
from booking_core.domain.errors import BusUnavailable
from booking_core.domain.lifecycle import Status
from booking_core.ports import Health, WriteCheck
from booking_core.ports.reads import Statistics
from booking_service.composition import Composition
from booking_service.setting_fields import Need

T = TypeVar("T")

# Limits of `stats --check`. Expiry runs every 60 s, event cancellation every second and the relay every 0.1 s: a wait
# of twice that, or much more, means that no worker runs. The Payment Service has an hour to answer a refund, and an
# operator has an hour for a dead letter.
OVERDUE_SECONDS: Final = 150.0
CLOSURE_SECONDS: Final = 150.0
OUTBOX_SECONDS: Final = 60.0
REFUND_SECONDS: Final = 3600.0
DEAD_LETTER_SECONDS: Final = 3600.0


@frozen
class DeadLetters:
    """Dead letters that no replay has taken yet, and the age of the oldest one."""

    count: int
    oldest_seconds: float | None


@frozen
class Uncounted:
    """The reason why dead letters are not counted, for operators."""

    problem: str


@click.command(epilog=example("booking stats", "booking stats --check || page-operator"))
@click.option("--check", is_flag=True, help="Exit 1 if something waits for too long, and print what.")
@json_option
@pass_invocation
def stats(invocation: Invocation, check: bool, as_json: bool) -> None:
    """Count bookings by status and all that waits: holds, events to publish, refunds, closures and dead letters.

    Dead letters are those that no replay has taken; not counted where the settings name no broker, or none answers.
    Refunds are counted once they have waited for an hour. With --check it fails if an overdue hold or an event being
    cancelled waits for more than 150 s, an event to publish for more than 60 s, or a refund or a dead letter for more
    than an hour, and if the database takes no writes or the broker that the settings name does not answer.
    """
    needs = (Need.DATABASE, Need.EVENT_BUS) if invocation.names_a_bus else (Need.DATABASE,)
    with invocation.composition("stats", *needs) as composition:
        count_dead_letters = _counter_of_dead_letters(composition, invocation) if invocation.names_a_bus else _no_bus
        statistics = composition.store.reads.statistics()
        dead_letters = count_dead_letters()
        store = composition.store
        health = store.check_writes() if isinstance(store, WriteCheck) else Health()
    if as_json:
        print_json(_object(statistics, dead_letters))
    else:
        _print_statistics(statistics, dead_letters)
    alarms = alarms_of(statistics, dead_letters) if check else []
    if not health.is_ready:
        alarms.append(f"nothing can be written: {health}")
    if isinstance(dead_letters, Uncounted):
        alarms.append(f"dead letters are not counted: {dead_letters.problem}")
    if check and alarms:
        raise CommandFailed("; ".join(alarms))
    for problem in alarms:
        print_error(problem)


def alarms_of(statistics: Statistics, dead_letters: DeadLetters | Uncounted | None = None) -> list[str]:
    """List what has waited longer than its limit, a line each."""
    dead = dead_letters if isinstance(dead_letters, DeadLetters) else DeadLetters(0, None)
    refunds, oldest_refund = statistics.unanswered_refunds, statistics.oldest_unanswered_refund_seconds
    closures, oldest_closure = statistics.open_closures, statistics.oldest_open_closure_seconds
    waits = (
        (statistics.overdue, statistics.oldest_overdue_seconds, OVERDUE_SECONDS, "overdue booking", "for a sweep"),
        (statistics.outbox, statistics.oldest_outbox_seconds, OUTBOX_SECONDS, "event", "to be published"),
        (refunds, oldest_refund, REFUND_SECONDS, "refund", "for the Payment Service"),
        (closures, oldest_closure, CLOSURE_SECONDS, "cancelled event", "for the end of its bookings"),
        (dead.count, dead.oldest_seconds, DEAD_LETTER_SECONDS, "dead letter", "for a replay"),
    )
    return [
        f"{counted(count, what)} {'waits' if count == 1 else 'wait'} {for_what}, the oldest for {oldest:.0f} s"
        for count, oldest, limit, what, for_what in waits
        if oldest is not None and oldest > limit
    ]


def _no_bus() -> None:
    """Count nothing: the settings name no broker."""


def _counter_of_dead_letters(
    composition: Composition, invocation: Invocation
) -> Callable[[], DeadLetters | Uncounted | None]:
    """Begin to count the dead letters; the result is a function that waits for the count."""
    from booking_workers.replay_dead_letters import replay_group

    bus, settings = composition.event_bus, composition.settings
    topic, group = settings.dead_letter_topic, replay_group(settings.consumer_group)
    timeout = invocation.broker_timeout

    def backlog() -> tuple[int, datetime | None]:
        count = sum(map(len, bus.backlog(topic, group).values()))
        return count, bus.oldest(topic, group) if count else None

    answer = begun(backlog)

    def result() -> DeadLetters | Uncounted:
        try:
            count, oldest = answer.result(timeout)
        except (BusUnavailable, TimeoutError) as error:
            return Uncounted(str(error) or f"no answer from the event bus within {timeout:g} s")
        return DeadLetters(count, None if oldest is None else (composition.store.reads.now() - oldest).total_seconds())

    return result


def begun(call: Callable[[], T]) -> "Future[T]":
    """Run the call in a daemon thread, which ends with the process at the latest; return the future of its result."""
    answer: Future[T] = Future()

    def run() -> None:
        try:
            answer.set_result(call())
        except BaseException as error:  # raised again where the result is wanted
            answer.set_exception(error)

    Thread(target=run, name="begun", daemon=True).start()
    return answer


def _object(statistics: Statistics, dead_letters: DeadLetters | Uncounted | None) -> dict[str, Any]:
    """Everything that the tables have; ages in seconds, null where nothing waits or is counted."""
    known = dead_letters if isinstance(dead_letters, DeadLetters) else None
    return {
        "byStatus": {status.value: statistics.by_status.get(status, 0) for status in Status},
        "outbox": statistics.outbox,
        "deadLetters": None if known is None else known.count,
        "unansweredRefunds": statistics.unanswered_refunds,
        "holdsEndingSoon": statistics.ending_soon,
        "holdsOverdue": statistics.overdue,
        "openClosures": statistics.open_closures,
        "oldestSeconds": {
            "holdsOverdue": statistics.oldest_overdue_seconds,
            "outbox": statistics.oldest_outbox_seconds,
            "unansweredRefunds": _oldest_refund(statistics),
            "openClosures": statistics.oldest_open_closure_seconds,
            "deadLetters": None if known is None else known.oldest_seconds,
        },
    }


def _print_statistics(statistics: Statistics, dead_letters: DeadLetters | Uncounted | None) -> None:
    print_table(["status", "bookings"], [[status, statistics.by_status.get(status, 0)] for status in Status])
    print_line("")
    dead: list[object] = ["not counted", ""]
    if isinstance(dead_letters, DeadLetters):
        dead = [dead_letters.count, _age(dead_letters.oldest_seconds)]
    print_table(
        ["what", "count", "oldest"],
        [
            ["holds that end in 60 s", statistics.ending_soon, ""],
            ["holds overdue", statistics.overdue, _age(statistics.oldest_overdue_seconds)],
            ["events to publish", statistics.outbox, _age(statistics.oldest_outbox_seconds)],
            ["refunds without answer", statistics.unanswered_refunds, _age(_oldest_refund(statistics))],
            ["events being cancelled", statistics.open_closures, _age(statistics.oldest_open_closure_seconds)],
            ["dead letters", *dead],
        ],
    )


def _oldest_refund(statistics: Statistics) -> float | None:
    """The age of the oldest refund among those that are counted: the store's includes younger ones."""
    return statistics.oldest_unanswered_refund_seconds if statistics.unanswered_refunds else None


def _age(seconds: float | None) -> str:
    return "" if seconds is None else f"{seconds:.0f} s"
