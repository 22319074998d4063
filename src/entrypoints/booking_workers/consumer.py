"""The consumer: applies messages of the Payment Service to bookings, each once (FR-08 to FR-13)."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from enum import Enum
from typing import Final, Protocol

from attrs import frozen

from booking_core.application import Effect, apply_payments
from booking_core.application.system_runtime import SYSTEM_RUNTIME
from booking_core.domain.commands import PaymentCommand
from booking_core.domain.errors import BookingError, BookingNotFound, EventIdReused, Failure
from booking_core.domain.values import Terms
from booking_core.messages.payment_messages import Skipped, parse
from booking_core.ports.event_bus import Delivery, EventBus, Subscription
from booking_core.ports.runtime import Runtime
from booking_core.ports.store import Store
from booking_telemetry.logs import get_logger
from booking_workers.dead_letters import DeadLetters
from booking_workers.jobs import ShouldContinue, always

_log = get_logger(__name__)

# A stop waits for a running poll(), which cannot be interrupted.
POLL_SECONDS: Final = 0.5
# A message that meets a bug becomes a dead letter after so many attempts.
_MAX_ATTEMPTS: Final = 5
# Messages in one transaction: enough to share the cost of a commit, few enough to keep the row locks short.
TRANSACTION_SIZE: Final = 100


class MessageOutcome(Enum):
    """The outcome of a message that was no error."""

    APPLIED = "applied"
    UNCHANGED = "unchanged"
    SKIPPED = "skipped"


MessageResult = MessageOutcome | Exception
"""An exception is the reason why the message could not be applied: a BookingError if a retry cannot help
(MalformedMessage, BookingNotFound, EventIdReused), any other exception if the code has a bug."""

Handle = Callable[[Sequence[Delivery]], Sequence[MessageResult]]
"""Returns the result of each delivery, in their order."""


class ProcessSpans(Protocol):
    """Spans around the handling of messages; `booking_workers.message_spans` has them."""

    def handling(self, handle: Handle) -> Handle:
        """The same handler with a span around each message of a sampled trace."""
        ...


def reason_of(error: Exception) -> tuple[str, str]:
    """Code and problem of a dead letter. For a bug the problem names the exception only: its text may hold a secret."""
    if isinstance(error, BookingError):
        return error.code, str(error)
    return BookingError.code, f"{type(error).__name__} while it was applied"


def parsed(delivery: Delivery) -> PaymentCommand | MessageResult:
    """The command of a message, or the result if the message holds no command."""
    try:
        command = parse(delivery.value or b"")
    except Exception as error:
        return error
    if isinstance(command, Skipped):
        _log.debug("consumer.skipped", event_type=command.event_type)
        return MessageOutcome.SKIPPED
    return command


@frozen
class MessageHandler:
    """Applier of messages in their order, many in one transaction. A message that fails does not stop the others."""

    store: Store
    terms: Terms
    transaction_size: int = TRANSACTION_SIZE
    runtime: Runtime = SYSTEM_RUNTIME

    def handle(self, deliveries: Sequence[Delivery]) -> Sequence[MessageResult]:
        """The result of each delivery. Raises Failure: a retry may work, and has no second effect on applied ones."""
        results: list[PaymentCommand | MessageResult] = [parsed(delivery) for delivery in deliveries]
        commands = {place: each for place, each in enumerate(results) if not isinstance(each, MessageResult)}
        places = list(commands)
        for start in range(0, len(places), self.transaction_size):
            together = {place: commands[place] for place in places[start : start + self.transaction_size]}
            for place, result in self._apply(together).items():
                results[place] = result
        return [each for each in results if isinstance(each, MessageResult)]

    def _apply(self, commands: Mapping[int, PaymentCommand]) -> Mapping[int, MessageResult]:
        try:
            effects = apply_payments(list(commands.values()), store=self.store, terms=self.terms, runtime=self.runtime)
        except Failure:
            raise
        except Exception as error:
            if len(commands) == 1:
                return dict.fromkeys(commands, error)
            # One command has failed: apply each alone, so that the others succeed.
            alone = [self._apply({place: command}) for place, command in commands.items()]
            return {place: result for each in alone for place, result in each.items()}
        return {
            place: _result(command, effect) for (place, command), effect in zip(commands.items(), effects, strict=True)
        }


def _result(command: PaymentCommand, effect: Effect) -> MessageResult:
    if effect is Effect.NO_BOOKING:
        return BookingNotFound()
    if effect is Effect.EVENT_ID_REUSED:
        return EventIdReused()
    changed = effect is Effect.CHANGED
    (_log.info if changed else _log.debug)(
        "consumer.applied" if changed else "consumer.unchanged",
        command=type(command).__name__,
        booking_id=str(command.booking_id),
        payment_id=command.payment_id,
        message_id=str(command.message_id),
        correlation_id=command.correlation_id,
    )
    return MessageOutcome.APPLIED if changed else MessageOutcome.UNCHANGED


class Consumer:
    """One member of the consumer group. `counts` since the start: applied, unchanged, skipped, dead; of these, reused.

    The offset is committed after a whole batch was applied or stored as dead letters. A redelivered message has no
    effect, because its id is in the inbox. During an outage of database or bus the batch is rewound and retried. A
    message that meets a bug becomes a dead letter after five attempts.
    """

    name = "consumer"
    idle_seconds = 0.0

    def __init__(
        self,
        store: Store,
        bus: EventBus,
        *,
        topic: str,
        group: str,
        dead_letters: DeadLetters,
        terms: Terms,
        spans: ProcessSpans | None = None,
        transaction_size: int = TRANSACTION_SIZE,
        poll_seconds: float = POLL_SECONDS,
        runtime: Runtime = SYSTEM_RUNTIME,
    ) -> None:
        self.counts: Counter[str] = Counter()
        self._bus, self._topic, self._group, self._poll_seconds = bus, topic, group, poll_seconds
        handle = MessageHandler(store, terms, transaction_size, runtime).handle
        self._handle = handle if spans is None else spans.handling(handle)
        self._dead_letters = dead_letters
        self._subscription: Subscription | None = None
        self._attempts: Counter[tuple[str, int, int]] = Counter()

    def run_once(self, should_continue: ShouldContinue = always) -> bool:
        """Consume one batch, or wait half a second for one; always True. Raises ServiceBusy and BusUnavailable."""
        if self._subscription is None:
            self._subscription = self._bus.subscribe(self._topic, self._group)
        subscription = self._subscription
        deliveries = subscription.poll(self._poll_seconds)
        if not deliveries:
            return True
        try:
            results = self._handle(deliveries)
            failed = [
                (delivery, result)
                for delivery, result in zip(deliveries, results, strict=True)
                if not isinstance(result, MessageOutcome)
            ]
            if failed:
                self._retry_or_give_up([each for each in failed if not isinstance(each[1], BookingError)])
                self._dead_letters.keep([(delivery, *reason_of(error)) for delivery, error in failed])
        except BaseException:
            subscription.rewind()
            raise
        self.counts.update(each.value if isinstance(each, MessageOutcome) else "dead" for each in results)
        self.counts.update("reused" for each in results if isinstance(each, EventIdReused))
        subscription.commit()
        self._attempts.clear()
        return True

    def close(self) -> None:
        """Leave the group."""
        if self._subscription is not None:
            self._subscription.close()
            self._subscription = None
            _log.info("consumer.stopped", **self.counts)

    def _retry_or_give_up(self, failed: Sequence[tuple[Delivery, Exception]]) -> None:
        """Count one attempt for all messages of a batch together; counted one by one, each would delay the next."""
        origins = [(each.topic, each.partition, each.offset) for each, _ in failed]
        self._attempts.update(origins)
        for origin, (_, error) in zip(origins, failed, strict=True):
            if self._attempts[origin] < _MAX_ATTEMPTS:
                raise error
        for (topic, partition, offset), (_, error) in zip(origins, failed, strict=True):
            _log.error("consumer.gave_up", topic=topic, partition=partition, offset=offset, exc_info=error)
