"""The relay: stored events go to the bus, at least once, and per booking in the order of their sequence."""

import random
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Final

import structlog

from booking_core.domain.events import VERSION
from booking_core.ports.event_bus import EventBus, Message
from booking_core.ports.store import OutboxRecord, Store
from booking_workers.jobs import ShouldContinue, always

_log = structlog.get_logger(__name__)

BATCH: Final = 500


def message_of(record: OutboxRecord, traceparent: str | None = None) -> Message:
    """The record as it travels: keyed by its booking (or event), with the headers of design section 6.

    `traceparent` names the span that sends it; without one it is that in which it was stored, if there was any.
    """
    headers = {
        "event_type": record.event_type,
        "version": VERSION,
        "correlation_id": record.correlation_id,
        "content_type": "application/json",
        "sequence": str(record.sequence),
    }
    trace = traceparent or record.traceparent
    if trace is not None:
        headers["traceparent"] = trace
    return Message(key=str(record.key).encode(), value=record.body, headers=headers)


Publishing = Callable[[str, Sequence[OutboxRecord]], AbstractContextManager[Sequence[Message]]]
"""Given a topic and records: their messages, for the block in which they are published."""


def untraced(topic: str, records: Sequence[OutboxRecord]) -> AbstractContextManager[Sequence[Message]]:
    """The messages, and nothing around them."""
    return nullcontext([message_of(record) for record in records])


class Relay:
    """Publishes what the outbox holds, batch by batch. `published` counts since the start.

    An event is marked only after the bus has taken it: after a kill in between it is published again. Several relays
    keep the order of each booking without knowing of each other (ADR 0012). One that finds most of its batch marked
    stands aside for a moment: another does the work, and all they would do together is say everything twice.
    """

    name = "relay"

    def __init__(
        self,
        store: Store,
        bus: EventBus,
        topic: str,
        *,
        idle_seconds: float = 0.1,
        publishing: Publishing = untraced,
    ) -> None:
        self.idle_seconds = idle_seconds
        self.published = 0
        self._usual_idle_seconds = idle_seconds
        self._store, self._bus, self._topic = store, bus, topic
        self._publishing = publishing

    def run_once(self, should_continue: ShouldContinue = always) -> bool:
        """One batch; True if there may be more for us. Raises BusUnavailable and ServiceBusy: nothing is lost."""
        self.idle_seconds = self._usual_idle_seconds
        records = self._store.outbox.unpublished(BATCH)
        if not records:
            return False
        with self._publishing(self._topic, records) as messages:
            self._bus.publish(self._topic, messages)
        marked = self._store.outbox.mark_published(records)
        self.published += len(records)
        _log.debug("relay.published", events=len(records), marked=marked)
        if 2 * marked < len(records):
            # Each for another while, or two relays would step aside together and come back together.
            self.idle_seconds = self._usual_idle_seconds * random.uniform(0.5, 1.5)  # noqa: S311 - jitter, not a secret
            return False
        return len(records) >= BATCH

    def close(self) -> None:
        """Say what was done; bus and store are the composition's."""
        _log.info("relay.stopped", published=self.published)
