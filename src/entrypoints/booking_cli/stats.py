"""`booking stats`: how the whole is doing."""

from typing import Final

import click

from booking_cli.invocation import CommandFailed, Invocation, example, pass_invocation
from booking_cli.printing import json_option, print_error, print_json, print_line, print_table
from booking_core.errors import BusUnavailable
from booking_core.lifecycle import Status
from booking_core.ports.queries import Statistics
from booking_service.composition import Composition
from booking_service.replaying_letters import replay_group
from booking_service.settings_table import Need

# The sweep comes every 60 s and the relay every 0.1 s: twice (and much more) that long means that neither runs.
OVERDUE_SECONDS: Final = 150.0
OUTBOX_SECONDS: Final = 60.0
REFUND_SECONDS: Final = 24 * 3600.0


@click.command(epilog=example("booking stats", "booking stats --check || page-somebody"))
@click.option("--check", is_flag=True, help="Exit 1 if something waits for too long, and say what.")
@json_option
@pass_invocation
def stats(invocation: Invocation, check: bool, as_json: bool) -> None:
    """Count bookings by status, events that wait to be published, refunds without an answer, and dead letters.

    Dead letters are those that no replay has taken; not counted where the settings name no broker or it is away.
    """
    needs = (Need.DATABASE, Need.EVENT_BUS) if invocation.names_a_bus else (Need.DATABASE,)
    with invocation.parts("stats", *needs) as parts:
        statistics = parts.store.queries.statistics()
        dead_letters = _dead_letters(parts) if invocation.names_a_bus else None
    if as_json:
        print_json(
            {
                "byStatus": {status.value: statistics.by_status.get(status, 0) for status in Status},
                "outbox": statistics.outbox,
                "deadLetters": dead_letters,
                "unansweredRefunds": statistics.unanswered_refunds,
            }
        )
    else:
        _print(statistics, dead_letters)
    if check and (alarms := alarms_of(statistics)):
        raise CommandFailed("; ".join(alarms))


def alarms_of(statistics: Statistics) -> list[str]:
    """What an operator should look at now; empty if all is well."""
    waits = (
        (statistics.overdue, statistics.oldest_overdue_seconds, OVERDUE_SECONDS, "overdue bookings wait for a sweep"),
        (statistics.outbox, statistics.oldest_outbox_seconds, OUTBOX_SECONDS, "events wait to be published"),
        (
            statistics.unanswered_refunds,
            statistics.oldest_unanswered_refund_seconds,
            REFUND_SECONDS,
            "refunds wait for the Payment Service",
        ),
    )
    return [
        f"{count} {what}, the oldest for {oldest:.0f} s"
        for count, oldest, limit, what in waits
        if oldest is not None and oldest > limit
    ]


def _dead_letters(parts: Composition) -> int | None:
    settings = parts.settings
    try:
        backlog = parts.event_bus.backlog(settings.dead_letter_topic, replay_group(settings.consumer_group))
    except BusUnavailable as error:
        print_error(f"dead letters are not counted: {error}")
        return None
    return sum(map(len, backlog.values()))


def _print(statistics: Statistics, dead_letters: int | None) -> None:
    print_table(["status", "bookings"], [[status, statistics.by_status.get(status, 0)] for status in Status])
    print_line("")
    print_table(
        ["what", "count", "oldest"],
        [
            ["holds that end soon", statistics.ending_soon, ""],
            ["holds overdue", statistics.overdue, _age(statistics.oldest_overdue_seconds)],
            ["events to publish", statistics.outbox, _age(statistics.oldest_outbox_seconds)],
            [
                "refunds without answer",
                statistics.unanswered_refunds,
                _age(statistics.oldest_unanswered_refund_seconds),
            ],
            ["events being cancelled", statistics.open_closures, ""],
            ["dead letters", "not counted" if dead_letters is None else dead_letters, ""],
        ],
    )


def _age(seconds: float | None) -> str:
    return "" if seconds is None else f"{seconds:.0f} s"
