"""Replay of events: publishes stored events again, with the same ids, headers and order per booking."""

from collections.abc import Callable, Sequence
from typing import Final

from attrs import evolve

from booking_core.ports.event_bus import EventBus
from booking_core.ports.outbox import EventSelection, OutboxRecord
from booking_core.ports.store import Store
from booking_telemetry.logs import get_logger
from booking_workers.jobs import ShouldContinue, always
from booking_workers.relay import message_of

_log = get_logger(__name__)

PAGE_SIZE: Final = 500


def replay_events(
    selection: EventSelection,
    *,
    store: Store,
    publish_to: tuple[EventBus, str] | None,
    progress: Callable[[int], None] = lambda _: None,
    should_continue: ShouldContinue = always,
    page_size: int = PAGE_SIZE,
) -> int:
    """Publish the selected events again to a topic of the bus; return how many. Without `publish_to` only count them.

    Replayed are events that were published before and recorded before the replay began. An event that waits belongs to
    the relay: publishing it out of turn could break the order of its booking. Nothing is marked, so a replay can be
    repeated. `should_continue` is called between two pages. Raises BusUnavailable and ServiceBusy: a part is published.
    """
    if selection.until is None:
        selection = evolve(selection, until=store.reads.now())
    published, last = 0, None
    while should_continue() and (page := store.outbox.stored(selection, last, page_size)):
        _publish(page, publish_to)
        published, last = published + len(page), page[-1]
        progress(published)
    if publish_to is not None:
        _log.info("replay.events", published=published)
    return published


def _publish(page: Sequence[OutboxRecord], publish_to: tuple[EventBus, str] | None) -> None:
    if publish_to is not None:
        bus, topic = publish_to
        bus.publish(topic, [message_of(record) for record in page])
