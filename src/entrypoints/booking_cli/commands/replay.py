"""`booking replay events` and `dead-letters`: publish events again, and process dead letters once more."""

from datetime import datetime
from typing import TYPE_CHECKING
from uuid import UUID

import click

from booking_cli.confirming import asks, confirm, yes_option
from booking_cli.invocation import CommandFailed, Invocation, example, pass_invocation
from booking_cli.parameters import MOMENT
from booking_cli.printing import counted, json_option, print_json, print_line, progress
from booking_core.messages.envelopes import PUBLISHED
from booking_core.ports import EventSelection
from booking_service.composition import Composition
from booking_service.setting_fields import Need
from booking_workers.stop_signals import StopSignals

if TYPE_CHECKING:
    from booking_workers.replay_dead_letters import DeadLetterReplay


@click.group(epilog=example("booking replay events --dry-run", "booking replay dead-letters --dry-run"))
def replay() -> None:
    """Publish events again, or feed dead letters back."""


@replay.command(
    short_help="Publish events again that were published before and are still kept.",
    epilog=example(
        "booking replay events --since 2026-03-01T10:00:00Z --dry-run",
        "booking replay events --booking-id 0190a5b0-7c3e-7a51-9f00-2b6c1d0e4f11",
        "booking replay events --type booking.confirmed --type booking.cancelled",
    ),
)
@click.option("--since", type=MOMENT, metavar="TIME", help="Recorded then or later (UTC unless the time has a zone).")
@click.option("--until", type=MOMENT, metavar="TIME", help="Recorded before then; without it: before now.")
@click.option("--booking-id", type=click.UUID, help="Events of this booking.")
@click.option("--event-id", type=click.UUID, help="Events of the bookings of this ticketed event, and its own.")
@click.option("--type", "types", multiple=True, type=click.Choice(list(PUBLISHED)), help="May be given several times.")
@click.option("--dry-run", is_flag=True, help="Only print how many; needs no broker.")
@yes_option
@json_option
@pass_invocation
def events(
    invocation: Invocation,
    since: datetime | None,
    until: datetime | None,
    booking_id: UUID | None,
    event_id: UUID | None,
    types: tuple[str, ...],
    dry_run: bool,
    is_confirmed: bool,
    as_json: bool,
) -> None:
    """Publish events again that were published before and are still kept (BOOKING_EVENT_RETENTION_DAYS).

    They keep their original ids, so that a consumer can recognise them. Those of one booking keep their order.
    What was never published is left to the relay. Without a filter it asks on a terminal: that is every stored event.
    """
    if since is not None and until is not None and since >= until:
        raise click.BadParameter("must be before --until", param_hint="--since")
    from booking_workers.replay_events import replay_events

    selection = EventSelection(
        since=since, until=until, booking_id=booking_id, event_id=event_id, types=frozenset(types)
    )
    needs = (Need.DATABASE,) if dry_run else (Need.DATABASE, Need.EVENT_BUS)
    with invocation.composition("replay", *needs) as composition:
        if not dry_run and selection == EventSelection() and asks(is_confirmed):
            with progress("counting") as shown:
                every = replay_events(
                    selection,
                    store=composition.store,
                    publish_to=None,
                    progress=lambda done: shown.update(counted(done, "event")),
                )
            again = f"every stored event is published to {composition.settings.events_topic} again: {every:,}"
            confirm(again, is_confirmed=is_confirmed)
        with StopSignals() as signals, progress("replaying") as shown:
            published = replay_events(
                selection,
                store=composition.store,
                publish_to=None if dry_run else (composition.event_bus, composition.settings.events_topic),
                progress=lambda done: shown.update(counted(done, "event")),
                should_continue=signals.should_continue,
            )
    summary = f"{counted(published, 'event')} {'would be ' if dry_run else ''}published again"
    _print({"published": published}, summary, as_json)
    _fail_if_stopped(signals)


@replay.command("dead-letters", epilog=example("booking replay dead-letters --dry-run", "booking replay dead-letters"))
@click.option("--dry-run", is_flag=True, help="Only print how many can be parsed now and belong to known bookings.")
@json_option
@pass_invocation
def dead_letters(invocation: Invocation, dry_run: bool, as_json: bool) -> None:
    """Feed the dead letters that wait now through the normal path once more.

    What was applied before has no second effect. Those that fail again stay in the dead-letter topic with their new
    reason, for the next replay. It can be stopped at any moment, and run again.
    """
    needs = (Need.DATABASE, Need.EVENT_BUS, Need.TERMS)
    with (
        invocation.composition("replay", *needs) as composition,
        StopSignals() as signals,
        progress("replaying") as shown,
    ):
        letters = _letters(composition, dry_run)
        letters.run(lambda done, of: shown.update(f"{done} of {counted(of, 'dead letter')}"), signals.should_continue)
    applied, failed = letters.counts["applied"], letters.counts["failed"]
    if dry_run:
        summary = f"{counted(applied, 'dead letter')} would be applied, {failed} would fail again"
    else:
        are = "is" if failed == 1 else "are"
        summary = f"{counted(applied, 'dead letter')} applied, {failed} failed again and {are} kept"
    _print({"applied": applied, "failed": failed}, summary, as_json)
    _fail_if_stopped(signals)


def _letters(composition: Composition, dry_run: bool) -> "DeadLetterReplay":
    from booking_workers.consumer import MessageHandler
    from booking_workers.dead_letters import DeadLetters
    from booking_workers.replay_dead_letters import DeadLetterReplay, dry_run_handle, replay_group

    bus, topic = composition.event_bus, composition.settings.dead_letter_topic
    handle = MessageHandler(composition.store, composition.terms).handle
    return DeadLetterReplay(
        bus,
        topic=topic,
        group=replay_group(composition.settings.consumer_group),
        handle=dry_run_handle(composition.store) if dry_run else handle,
        dead_letters=None if dry_run else DeadLetters(bus, topic),
    )


def _print(counted: dict[str, int], summary: str, as_json: bool) -> None:
    if as_json:
        print_json(counted)
    else:
        print_line(summary)


def _fail_if_stopped(signals: StopSignals) -> None:
    if signals.requested:
        raise CommandFailed("stopped before the end; what is printed is done, run it again for the rest")
