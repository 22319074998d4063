"""`booking stats`: how the whole is doing."""

from datetime import datetime
from typing import Final

import click
from attrs import frozen

from booking_cli.invocation import CommandFailed, Invocation, example, pass_invocation
from booking_cli.printing import counted, json_option, print_error, print_json, print_line, print_table
from booking_cli.timeout import answer_within
from booking_core.domain.errors import BusUnavailable
from booking_core.domain.lifecycle import Status
from booking_core.ports.reads import Statistics
from booking_service.composition import Composition
from booking_service.settings import Need

# The sweep comes every 60 s, closures every second, and the relay every 0.1 s: twice (and much more) that long means
# that nobody does it. The Payment Service has an hour to answer, and so has whoever looks after dead letters.
OVERDUE_SECONDS: Final = 150.0
CLOSURE_SECONDS: Final = 150.0
OUTBOX_SECONDS: Final = 60.0
REFUND_SECONDS: Final = 3600.0
DEAD_LETTER_SECONDS: Final = 3600.0
# A broker that answers at all does so within one; what asks it would wait for twenty.
BROKER_SECONDS: Final = 4.0


@frozen
class DeadLetters:
    """Those that no replay has taken."""

    count: int
    oldest_seconds: float | None


@click.command(epilog=example("booking stats", "booking stats --check || page-somebody"))
@click.option("--check", is_flag=True, help="Exit 1 if something waits for too long, and say what.")
@json_option
@pass_invocation
def stats(invocation: Invocation, check: bool, as_json: bool) -> None:
    """Count bookings by status and all that waits: holds, events to publish, refunds, closures and dead letters.

    Dead letters are those that no replay has taken; not counted where the settings name no broker, or none answers.
    With --check it fails if an overdue hold or an event being cancelled waits for more than 150 s, an event to publish
    for more than 60 s, or a refund or a dead letter for more than an hour.
    """
    needs = (Need.DATABASE, Need.EVENT_BUS) if invocation.names_a_bus else (Need.DATABASE,)
    with invocation.parts("stats", *needs) as parts:
        statistics = parts.store.reads.statistics()
        dead_letters = _dead_letters(parts) if invocation.names_a_bus else None
    if as_json:
        print_json(
            {
                "byStatus": {status.value: statistics.by_status.get(status, 0) for status in Status},
                "outbox": statistics.outbox,
                "deadLetters": None if dead_letters is None else dead_letters.count,
                "unansweredRefunds": statistics.unanswered_refunds,
            }
        )
    else:
        _print(statistics, dead_letters)
    if check and (alarms := alarms_of(statistics, dead_letters)):
        raise CommandFailed("; ".join(alarms))


def alarms_of(statistics: Statistics, dead_letters: DeadLetters | None = None) -> list[str]:
    """What an operator should look at now; empty if all is well."""
    dead = dead_letters or DeadLetters(0, None)
    waits = (
        (statistics.overdue, statistics.oldest_overdue_seconds, OVERDUE_SECONDS, "overdue booking", "for a sweep"),
        (statistics.outbox, statistics.oldest_outbox_seconds, OUTBOX_SECONDS, "event", "to be published"),
        (
            statistics.unanswered_refunds,
            statistics.oldest_unanswered_refund_seconds,
            REFUND_SECONDS,
            "refund",
            "for the Payment Service",
        ),
        (
            statistics.open_closures,
            statistics.oldest_open_closure_seconds,
            CLOSURE_SECONDS,
            "cancelled event",
            "for the end of its bookings",
        ),
        (dead.count, dead.oldest_seconds, DEAD_LETTER_SECONDS, "dead letter", "for a replay"),
    )
    return [
        f"{counted(count, what)} {'waits' if count == 1 else 'wait'} {for_what}, the oldest for {oldest:.0f} s"
        for count, oldest, limit, what, for_what in waits
        if oldest is not None and oldest > limit
    ]


def _dead_letters(parts: Composition) -> DeadLetters | None:
    from booking_workers.replay_dead_letters import replay_group

    topic, group = parts.settings.dead_letter_topic, replay_group(parts.settings.consumer_group)

    def ask() -> tuple[int, datetime | None]:
        count = sum(map(len, parts.event_bus.backlog(topic, group).values()))
        return count, parts.event_bus.oldest(topic, group) if count else None

    try:
        count, oldest = answer_within(BROKER_SECONDS, ask)
    except (BusUnavailable, TimeoutError) as error:
        found = str(error) or f"no answer from the event bus within {BROKER_SECONDS:g} s"
        print_error(f"dead letters are not counted: {found}")
        return None
    return DeadLetters(count, None if oldest is None else (parts.store.reads.now() - oldest).total_seconds())


def _print(statistics: Statistics, dead_letters: DeadLetters | None) -> None:
    print_table(["status", "bookings"], [[status, statistics.by_status.get(status, 0)] for status in Status])
    print_line("")
    print_table(
        ["what", "count", "oldest"],
        [
            ["holds that end in 60 s", statistics.ending_soon, ""],
            ["holds overdue", statistics.overdue, _age(statistics.oldest_overdue_seconds)],
            ["events to publish", statistics.outbox, _age(statistics.oldest_outbox_seconds)],
            [
                "refunds without answer",
                statistics.unanswered_refunds,
                _age(statistics.oldest_unanswered_refund_seconds),
            ],
            [
                "events being cancelled",
                statistics.open_closures,
                _age(statistics.oldest_open_closure_seconds),
            ],
            ["dead letters", *_counted(dead_letters)],
        ],
    )


def _counted(dead_letters: DeadLetters | None) -> tuple[object, str]:
    return ("not counted", "") if dead_letters is None else (dead_letters.count, _age(dead_letters.oldest_seconds))


def _age(seconds: float | None) -> str:
    return "" if seconds is None else f"{seconds:.0f} s"
