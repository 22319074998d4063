"""`booking dead-letters`: list, show, discard and replay the messages that could not be applied."""

import base64
import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from booking_cli.confirming import confirm, yes_option
from booking_cli.invocation import CommandFailed, Invocation, example, pass_invocation
from booking_cli.printing import counted, json_option, print_json, print_line, print_table, progress
from booking_core.ports import Delivery
from booking_service.composition import Composition
from booking_service.setting_fields import Need
from booking_workers.stop_signals import StopSignals

# Completion imports this module for its options; the workers behind it are imported by the commands.
if TYPE_CHECKING:
    from booking_workers.consumer import Handle, MessageOutcome
    from booking_workers.replay_dead_letters import DeadLetterReplay

_NEEDS = (Need.DATABASE, Need.EVENT_BUS, Need.TERMS)


@click.group("dead-letters", epilog=example("booking dead-letters list", "booking dead-letters replay"))
def dead_letters() -> None:
    """List, show, discard and replay the messages that could not be applied."""


@dead_letters.command("list", epilog=example("booking dead-letters list --json"))
@json_option
@pass_invocation
def list_letters(invocation: Invocation, as_json: bool) -> None:
    """List the dead letters that wait, the oldest first. Changes nothing."""
    with invocation.composition("dead-letters", *_NEEDS) as composition:
        found = [_summary(letter) for letter in _waiting(composition)]
    if as_json:
        print_json({"deadLetters": found})
        return
    columns = ["id", "deadLetteredAt", "eventType", "bookingId", "paymentId", "reason"]
    print_table(columns, [[letter.get(column, "") for column in columns] for letter in found])
    print_line("")
    print_line(counted(len(found), "dead letter"))


@dead_letters.command(epilog=example("booking dead-letters show payment.events:3:1234"))
@click.argument("letter")
@json_option
@pass_invocation
def show(invocation: Invocation, letter: str, as_json: bool) -> None:
    """Show a dead letter whole: its headers, its key and its body."""
    from booking_workers.dead_letters import letter_id

    with invocation.composition("dead-letters", *_NEEDS) as composition:
        [found, *_] = _chosen(_waiting(composition), [letter])
    written = {"id": letter_id(found), "headers": _headers(found), "key": _text(found.key), "value": _text(found.value)}
    if as_json:
        print_json(written)
        return
    fields = {"id": written["id"], "key": written["key"], **_headers(found), "value": written["value"]}
    print_table(["field", "value"], list(fields.items()))


@dead_letters.command(epilog=example("booking dead-letters discard payment.events:3:1234"))
@click.argument("letters", metavar="ID...", nargs=-1, required=True)
@yes_option
@json_option
@pass_invocation
def discard(invocation: Invocation, letters: tuple[str, ...], is_confirmed: bool, as_json: bool) -> None:
    """Discard dead letters: they are not applied and wait no longer. Those that were not named are kept.

    The topic keeps the messages until its retention ends, and the log has what was discarded. On a terminal it names
    them and asks: a payment may be among them.
    """
    with invocation.composition("dead-letters", *_NEEDS) as composition, StopSignals() as signals:
        found = _chosen(_waiting(composition), letters)
        lines = [", ".join(str(value) for value in _summary(each).values()) for each in found]
        confirm(*lines, f"{counted(len(found), 'dead letter')} discarded", is_confirmed=is_confirmed)
        replay = _replay(composition, _discarding, found)
        replay.run(should_continue=signals.should_continue)
    done = replay.counts["applied"]
    _print({"discarded": done}, f"{counted(done, 'dead letter')} discarded", as_json)
    _fail_if_stopped(signals)


@dead_letters.command(
    epilog=example("booking dead-letters replay", "booking dead-letters replay payment.events:3:1234")
)
@click.argument("letters", metavar="[ID...]", nargs=-1)
@json_option
@pass_invocation
def replay(invocation: Invocation, letters: tuple[str, ...], as_json: bool) -> None:
    """Feed these dead letters, or all that wait, through the normal path once more, as `booking replay dead-letters`.

    What was applied before has no second effect. Those that fail again are kept with their new reason.
    """
    from booking_workers.consumer import MessageHandler

    with invocation.composition("dead-letters", *_NEEDS) as composition, StopSignals() as signals:
        found = _chosen(_waiting(composition), letters) if letters else None
        again = _replay(composition, MessageHandler(composition.store, composition.terms).handle, found)
        with progress("replaying") as shown:
            again.run(lambda done, of: shown.update(f"{done} of {counted(of, 'dead letter')}"), signals.should_continue)
    applied, failed = again.counts["applied"], again.counts["failed"]
    summary = (
        f"{counted(applied, 'dead letter')} applied, {failed} failed again and {'is' if failed == 1 else 'are'} kept"
    )
    _print({"applied": applied, "failed": failed}, summary, as_json)
    _fail_if_stopped(signals)


def _waiting(composition: Composition) -> list[Delivery]:
    from booking_workers.dead_letters import letter_id
    from booking_workers.replay_dead_letters import replay_group, waiting_letters

    settings = composition.settings
    group = replay_group(settings.consumer_group)
    found = waiting_letters(composition.event_bus, topic=settings.dead_letter_topic, group=group)
    return sorted(found, key=lambda letter: (_headers(letter).get("dead_lettered_at", ""), letter_id(letter)))


def _chosen(waiting: Sequence[Delivery], ids: Sequence[str]) -> list[Delivery]:
    """The letters with these ids; a letter that was stored twice is there twice. Raises CommandFailed."""
    from booking_workers.dead_letters import letter_id

    found = [letter for letter in waiting if letter_id(letter) in ids]
    if missing := sorted(set(ids) - {letter_id(letter) for letter in found}):
        raise CommandFailed(f"no such dead letter waits: {', '.join(missing)}; nothing was changed")
    return found


def _replay(composition: Composition, handle: "Handle", chosen: Sequence[Delivery] | None) -> "DeadLetterReplay":
    from booking_workers.dead_letters import DeadLetters
    from booking_workers.replay_dead_letters import DeadLetterReplay, replay_group

    bus, settings = composition.event_bus, composition.settings
    return DeadLetterReplay(
        bus,
        topic=settings.dead_letter_topic,
        group=replay_group(settings.consumer_group),
        handle=handle,
        dead_letters=DeadLetters(bus, settings.dead_letter_topic),
        chosen=None if chosen is None else [(letter.partition, letter.offset) for letter in chosen],
    )


def _discarding(deliveries: Sequence[Delivery]) -> "Sequence[MessageOutcome]":
    from booking_telemetry.logs import get_logger
    from booking_workers.consumer import MessageOutcome

    log = get_logger(__name__)
    for letter in deliveries:
        log.warning("dead_letters.discarded", **_summary(letter))
    return [MessageOutcome.SKIPPED for _ in deliveries]


def _summary(letter: Delivery) -> dict[str, Any]:
    """What a list shows of a letter; fields that its body does not have are left out."""
    from booking_workers.dead_letters import letter_id

    headers, body = _headers(letter), _body(letter)
    payload = body.get("payload")
    fields = payload if isinstance(payload, dict) else {}
    summary = {
        "id": letter_id(letter),
        "deadLetteredAt": headers.get("dead_lettered_at"),
        "eventType": body.get("eventType"),
        "bookingId": fields.get("bookingId"),
        "paymentId": fields.get("paymentId"),
        "reason": headers.get("reason"),
    }
    return {name: value for name, value in summary.items() if isinstance(value, str)}


def _body(letter: Delivery) -> Mapping[str, Any]:
    try:
        body = json.loads(letter.value or b"")
    except (ValueError, RecursionError):
        return {}
    return body if isinstance(body, dict) else {}


def _headers(letter: Delivery) -> dict[str, str]:
    return {name: text.decode("utf-8", "backslashreplace") for name, text in letter.headers}


def _text(value: bytes | None) -> str | None:
    """The bytes as text, or in base 64 after `base64:` if they are no UTF-8."""
    try:
        return None if value is None else value.decode("utf-8")
    except UnicodeDecodeError:
        return f"base64:{base64.b64encode(value or b'').decode()}"


def _print(counts: Mapping[str, int], summary: str, as_json: bool) -> None:
    if as_json:
        print_json(counts)
    else:
        print_line(summary)


def _fail_if_stopped(signals: StopSignals) -> None:
    if signals.requested:
        raise CommandFailed("stopped before the end; what is printed is done, run it again for the rest")
