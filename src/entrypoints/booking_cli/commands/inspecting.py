"""`booking show` and `booking stats`: one booking with its history, and counts of everything that waits."""

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from datetime import datetime
from threading import Thread
from typing import Any, Final, TypeVar
from uuid import UUID

import click
from attrs import frozen

from booking_cli.invocation import CommandFailed, Invocation, example, pass_invocation
from booking_cli.printing import counted, json_option, print_error, print_json, print_line, print_table
from booking_core.application import show_booking
from booking_core.domain.booking import Booking
from booking_core.domain.errors import BusUnavailable
from booking_core.domain.history import HistoryEntry
from booking_core.domain.lifecycle import Status
from booking_core.ports.reads import Statistics
from booking_service.composition import Composition
from booking_service.settings import Need

T = TypeVar("T")

# Limits of `stats --check`. Expiry runs every 60 s, event cancellation every second and the relay every 0.1 s: a wait
# of twice that, or much more, means that no worker runs. The Payment Service has an hour to answer a refund, and an
# operator has an hour for a dead letter.
OVERDUE_SECONDS: Final = 150.0
CLOSURE_SECONDS: Final = 150.0
OUTBOX_SECONDS: Final = 60.0
REFUND_SECONDS: Final = 3600.0
DEAD_LETTER_SECONDS: Final = 3600.0


@click.command(epilog=example("booking show 0190a5b0-7c3e-7a51-9f00-2b6c1d0e4f11"))
@click.argument("booking_id", type=click.UUID)
@json_option
@pass_invocation
def show(invocation: Invocation, booking_id: UUID, as_json: bool) -> None:
    """Show any booking with its seats, payments and history."""
    with invocation.composition("show", Need.DATABASE) as composition:
        booking, history = show_booking(booking_id, store=composition.store)
    if as_json:
        print_json({**_booking_object(booking), "history": [_entry_object(entry) for entry in history]})
    else:
        _print_booking(booking, history)


def _booking_object(booking: Booking) -> dict[str, Any]:
    """The booking as the API renders it, with its user and correlation id."""
    from booking_api.http.bodies import booking_json

    return {**booking_json(booking), "userId": booking.user_id, "correlationId": booking.correlation_id}


def _entry_object(entry: HistoryEntry) -> dict[str, Any]:
    written: dict[str, Any] = {
        "number": entry.number,
        "at": entry.at,
        "trigger": entry.trigger,
        "from": entry.from_status,
        "to": entry.to_status,
        "actor": entry.actor,
        "actorId": entry.actor_id,
        "correlationId": entry.correlation_id,
    }
    if entry.payment_id is not None:
        written["paymentId"] = entry.payment_id
    if entry.note:
        written["note"] = entry.note
    return written


def _print_booking(booking: Booking, history: Sequence[HistoryEntry]) -> None:
    fields = _booking_object(booking)
    seats, refunds = fields.pop("seats"), fields.pop("refunds", [])
    fields.pop("refund", None)
    print_table(["field", "value"], list(fields.items()))
    print_line("")
    print_table(["seat", "row", "number", "price"], [list(seat.values()) for seat in seats])
    if refunds:
        print_line("")
        print_table(["payment", "refund", "currency", "reason", "status"], [list(each.values()) for each in refunds])
    print_line("")
    print_table(
        ["#", "at", "trigger", "from", "to", "by", "who", "payment", "note", "correlation"],
        [
            [
                *(entry.number, entry.at, entry.trigger, entry.from_status, entry.to_status),
                *(entry.actor, entry.actor_id, entry.payment_id, entry.note, entry.correlation_id),
            ]
            for entry in history
        ],
    )


@frozen
class DeadLetters:
    """Dead letters that no replay has taken yet, and the age of the oldest one."""

    count: int
    oldest_seconds: float | None


@click.command(epilog=example("booking stats", "booking stats --check || page-operator"))
@click.option("--check", is_flag=True, help="Exit 1 if something waits for too long, and print what.")
@json_option
@pass_invocation
def stats(invocation: Invocation, check: bool, as_json: bool) -> None:
    """Count bookings by status and all that waits: holds, events to publish, refunds, closures and dead letters.

    Dead letters are those that no replay has taken; not counted where the settings name no broker, or none answers.
    With --check it fails if an overdue hold or an event being cancelled waits for more than 150 s, an event to publish
    for more than 60 s, or a refund or a dead letter for more than an hour.
    """
    needs = (Need.DATABASE, Need.EVENT_BUS) if invocation.names_a_bus else (Need.DATABASE,)
    with invocation.composition("stats", *needs) as composition:
        statistics = composition.store.reads.statistics()
        dead_letters = _dead_letters(composition, invocation.broker_timeout) if invocation.names_a_bus else None
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
        _print_statistics(statistics, dead_letters)
    if check and (alarms := alarms_of(statistics, dead_letters)):
        raise CommandFailed("; ".join(alarms))


def alarms_of(statistics: Statistics, dead_letters: DeadLetters | None = None) -> list[str]:
    """List what has waited longer than its limit, a line each."""
    dead = dead_letters or DeadLetters(0, None)
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


def _dead_letters(composition: Composition, timeout: float) -> DeadLetters | None:
    """Count the dead letters; None if the bus does not answer within the timeout, which is printed."""
    from booking_workers.replay_dead_letters import replay_group

    bus, settings = composition.event_bus, composition.settings
    topic, group = settings.dead_letter_topic, replay_group(settings.consumer_group)

    def backlog() -> tuple[int, datetime | None]:
        count = sum(map(len, bus.backlog(topic, group).values()))
        return count, bus.oldest(topic, group) if count else None

    try:
        count, oldest = answer_within(timeout, backlog)
    except (BusUnavailable, TimeoutError) as error:
        problem = str(error) or f"no answer from the event bus within {timeout:g} s"
        print_error(f"dead letters are not counted: {problem}")
        return None
    return DeadLetters(count, None if oldest is None else (composition.store.reads.now() - oldest).total_seconds())


def answer_within(seconds: float, call: Callable[[], T]) -> T:
    """Return what `call` returns, or raise what it raises; TimeoutError after `seconds`.

    The call runs in a daemon thread, which goes on after the timeout and ends with the process.
    """
    answer: Future[T] = Future()

    def run() -> None:
        try:
            answer.set_result(call())
        except BaseException as error:  # raised again in the caller's thread
            answer.set_exception(error)

    Thread(target=run, name="answer-within", daemon=True).start()
    return answer.result(seconds)


def _print_statistics(statistics: Statistics, dead_letters: DeadLetters | None) -> None:
    print_table(["status", "bookings"], [[status, statistics.by_status.get(status, 0)] for status in Status])
    print_line("")
    refunds, oldest_refund = statistics.unanswered_refunds, statistics.oldest_unanswered_refund_seconds
    dead = ["not counted", ""] if dead_letters is None else [dead_letters.count, _age(dead_letters.oldest_seconds)]
    print_table(
        ["what", "count", "oldest"],
        [
            ["holds that end in 60 s", statistics.ending_soon, ""],
            ["holds overdue", statistics.overdue, _age(statistics.oldest_overdue_seconds)],
            ["events to publish", statistics.outbox, _age(statistics.oldest_outbox_seconds)],
            ["refunds without answer", refunds, _age(oldest_refund)],
            ["events being cancelled", statistics.open_closures, _age(statistics.oldest_open_closure_seconds)],
            ["dead letters", *dead],
        ],
    )


def _age(seconds: float | None) -> str:
    return "" if seconds is None else f"{seconds:.0f} s"
