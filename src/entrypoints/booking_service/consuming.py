"""The consumer: what the Payment Service says is applied to our bookings, each message once (FR-08 to FR-13)."""

from collections import Counter
from enum import Enum
from typing import Final

import structlog
from attrs import frozen

from booking_core.commands import ConfirmPayment, FailPayment, PaymentCommand, StartPayment
from booking_core.errors import BookingError, Failure
from booking_core.inbound import Skipped, parse
from booking_core.ports.event_bus import Delivery, EventBus, Subscription
from booking_core.ports.store import Store
from booking_core.use_cases import answer_refund, confirm_payment, fail_payment, start_payment
from booking_core.values import Terms
from booking_service.dead_letters import DeadLetters
from booking_service.running import GoOn, always

_log = structlog.get_logger(__name__)

# poll() can't be woken: this is how long a stop may have to wait for it.
POLL_SECONDS: Final = 0.5
_TRIES: Final = 5


def apply(command: PaymentCommand, *, store: Store, terms: Terms) -> bool:
    """Do what the command says; False if it changes nothing. Raises BookingNotFound, ServiceBusy."""
    if isinstance(command, StartPayment):
        return start_payment(command, store=store, terms=terms)
    if isinstance(command, ConfirmPayment):
        return confirm_payment(command, store=store)
    if isinstance(command, FailPayment):
        return fail_payment(command, store=store)
    return answer_refund(command, store=store)


def described_bug(error: Exception) -> tuple[str, str]:
    """Code and problem of a dead letter that met a bug of ours: its text may hold anything, so only its name."""
    return BookingError.code, f"{type(error).__name__} while it was applied"


class Outcome(Enum):
    """What became of a message that was no trouble."""

    APPLIED = "applied"
    UNCHANGED = "unchanged"
    SKIPPED = "skipped"


@frozen
class Handler:
    """The normal path of a message, whether it comes from the payments topic or out of the dead letters."""

    store: Store
    terms: Terms

    def handle(self, delivery: Delivery) -> Outcome:
        """Apply it, in a transaction of its own.

        Raises Failure (later it may work), any other BookingError (it will be no better the next time:
        MalformedMessage, BookingNotFound, a value that a rule refuses), or whatever a bug of ours raises.
        """
        command = parse(delivery.value or b"")
        if isinstance(command, Skipped):
            _log.debug("consumer.skipped", event_type=command.event_type)
            return Outcome.SKIPPED
        changed = apply(command, store=self.store, terms=self.terms)
        _log.debug(
            "consumer.applied",
            command=type(command).__name__,
            changed=changed,
            booking_id=str(command.booking_id),
            correlation_id=command.correlation_id,
        )
        return Outcome.APPLIED if changed else Outcome.UNCHANGED


class Consumer:
    """One member of the consumer group. `counts` tells since the start: applied, unchanged, skipped, dead.

    The offset is committed after a whole batch was applied or kept as dead letters; what is delivered again has no
    effect, because its id is in the inbox. An outage of database or bus is no poison: the batch is rewound and waits.
    A message that meets a bug of ours is tried five times before it becomes a dead letter.
    """

    name = "consumer"
    idle_seconds = 0.0

    def __init__(
        self, store: Store, bus: EventBus, *, topic: str, group: str, dead_letters: DeadLetters, terms: Terms
    ) -> None:
        self.counts: Counter[str] = Counter()
        self._bus, self._topic, self._group = bus, topic, group
        self._handler = Handler(store, terms)
        self._dead_letters = dead_letters
        self._subscription: Subscription | None = None
        self._tries: Counter[tuple[str, int, int]] = Counter()

    def run_once(self, go_on: GoOn = always) -> bool:
        """One batch, or half a second without one; always True. Raises ServiceBusy and BusUnavailable."""
        if self._subscription is None:
            self._subscription = self._bus.subscribe(self._topic, self._group)
        subscription = self._subscription
        deliveries = subscription.poll(POLL_SECONDS)
        if not deliveries:
            return True
        try:
            for delivery in deliveries:
                self._handle(delivery)
        except BaseException:
            subscription.rewind()
            raise
        subscription.commit()
        self._tries.clear()
        return True

    def close(self) -> None:
        """Leave the group."""
        if self._subscription is not None:
            self._subscription.close()
            self._subscription = None
            _log.info("consumer.stopped", **self.counts)

    def _handle(self, delivery: Delivery) -> None:
        try:
            self.counts[self._handler.handle(delivery).value] += 1
        except Failure:
            raise
        except BookingError as error:
            self._bury(delivery, error.code, str(error))
        except Exception as error:
            origin = (delivery.topic, delivery.partition, delivery.offset)
            self._tries[origin] += 1
            if self._tries[origin] < _TRIES:
                raise
            _log.exception("consumer.gave_up", topic=origin[0], partition=origin[1], offset=origin[2])
            self._bury(delivery, *described_bug(error))

    def _bury(self, delivery: Delivery, code: str, problem: str) -> None:
        self._dead_letters.keep(delivery, code, problem)
        self.counts["dead"] += 1
