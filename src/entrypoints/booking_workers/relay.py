"""The relay: publishes stored events to the bus, at least once, and per booking in the order of their sequence."""

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Final, Protocol

from booking_core.application.system_runtime import SYSTEM_RUNTIME
from booking_core.messages.envelopes import VERSION
from booking_core.ports.event_bus import Message
from booking_core.ports.outbox import OutboxRecord
from booking_core.ports.runtime import Runtime
from booking_core.ports.store import Store
from booking_telemetry.logs import get_logger
from booking_workers.jobs import ShouldContinue, always

_log = get_logger(__name__)

BATCH_SIZE: Final = 500


def message_of(record: OutboxRecord, traceparent: str | None = None) -> Message:
    """The bus message of a stored event: keyed by booking (or event) id, with the headers of the published contract.

    `traceparent` names the span that sends the message; by default it is the trace in which the event was stored.
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


class Publisher(Protocol):
    """The part of an event bus that the relay needs."""

    def publish(self, topic: str, messages: Sequence[Message]) -> None:
        """Store the messages, in the given order per key. Raises BusUnavailable."""
        ...


class SendSpans(Protocol):
    """Spans around the publishing of events; `booking_workers.message_spans` has them."""

    def sending(self, topic: str, records: Sequence[OutboxRecord]) -> AbstractContextManager[Sequence[str | None]]:
        """The `traceparent` that each message carries; the spans end with the block."""
        ...


class Relay:
    """Job that publishes the outbox batch by batch. `published` counts since the start.

    An event is marked only after the bus has accepted it, so a relay that is killed in between publishes it again.
    Several relays keep the order of each booking without coordination (ADR 0012). A relay that finds most of its batch
    already marked pauses: another relay does the work, and together they would only publish everything twice.
    """

    name = "relay"

    def __init__(
        self,
        store: Store,
        bus: Publisher,
        topic: str,
        *,
        idle_seconds: float = 0.1,
        batch_size: int = BATCH_SIZE,
        spans: SendSpans | None = None,
        runtime: Runtime = SYSTEM_RUNTIME,
    ) -> None:
        self.idle_seconds = idle_seconds
        self.published = 0
        self._usual_idle_seconds, self._batch_size = idle_seconds, batch_size
        self._store, self._bus, self._topic = store, bus, topic
        self._spans, self._runtime = spans, runtime

    def run_once(self, should_continue: ShouldContinue = always) -> bool:
        """Publish one batch; True if there may be more to publish.

        Raises BusUnavailable and ServiceBusy: nothing is lost.
        """
        self.idle_seconds = self._usual_idle_seconds
        records = self._store.outbox.unpublished(self._batch_size)
        if not records:
            return False
        with self._sending(records) as traceparents:
            self._bus.publish(self._topic, list(map(message_of, records, traceparents)))
        marked = self._store.outbox.mark_published(records)
        self.published += len(records)
        _log.debug("relay.published", events=len(records), marked=marked)
        if 2 * marked < len(records):
            # A random pause: two relays with the same one would collide again after it.
            self.idle_seconds = self._usual_idle_seconds * self._runtime.uniform(0.5, 1.5)
            return False
        return len(records) >= self._batch_size

    def close(self) -> None:
        """Log the total. Bus and store belong to the caller."""
        _log.info("relay.stopped", published=self.published)

    def _sending(self, records: Sequence[OutboxRecord]) -> AbstractContextManager[Sequence[str | None]]:
        if self._spans is None:
            return nullcontext([record.traceparent for record in records])
        return self._spans.sending(self._topic, records)
