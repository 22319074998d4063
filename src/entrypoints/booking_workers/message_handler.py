"""The normal path of the Payment Service's messages, whether they come from their topic or out of the dead letters."""

from collections.abc import Iterable, Mapping, Sequence
from enum import Enum
from typing import Final

import structlog
from attrs import frozen

from booking_core.application import Effect, apply_payments
from booking_core.domain.commands import PaymentCommand
from booking_core.domain.errors import BookingError, BookingNotFound, Failure
from booking_core.domain.values import Terms
from booking_core.messages.payment_messages import Skipped, parse
from booking_core.ports.event_bus import Delivery
from booking_core.ports.store import Store

_log = structlog.get_logger(__name__)

# In one transaction: enough that a commit costs little, few enough that nobody waits long for one of their bookings.
TOGETHER: Final = 100


class Outcome(Enum):
    """What became of a message that was no trouble."""

    APPLIED = "applied"
    UNCHANGED = "unchanged"
    SKIPPED = "skipped"


Verdict = Outcome | Exception
"""An exception says why the message could not be applied: a BookingError, which will be no better the next time
(MalformedMessage, BookingNotFound, a value that a rule refuses), or whatever a bug of ours raises."""


def reason_of(error: Exception) -> tuple[str, str]:
    """Code and problem, for a dead letter; of a bug of ours its name alone, for its text may hold a secret."""
    if isinstance(error, BookingError):
        return error.code, str(error)
    return BookingError.code, f"{type(error).__name__} while it was applied"


def understood(delivery: Delivery) -> PaymentCommand | Verdict:
    """What a message asks for, or the verdict on one that asks for nothing we can do."""
    try:
        command = parse(delivery.value or b"")
    except Exception as error:
        return error
    if isinstance(command, Skipped):
        _log.debug("consumer.skipped", event_type=command.event_type)
        return Outcome.SKIPPED
    return command


@frozen
class Handler:
    """Applies messages in their order, many in one transaction, and none stops the others."""

    store: Store
    terms: Terms

    def handle(self, deliveries: Sequence[Delivery]) -> Sequence[Verdict]:
        """The verdict on each. Raises Failure: later it may work; some may be applied, and have no second effect."""
        found = [understood(delivery) for delivery in deliveries]
        commands = {place: each for place, each in enumerate(found) if not isinstance(each, Verdict)}
        verdicts = {place: each for place, each in enumerate(found) if isinstance(each, Verdict)}
        for places in _slices(list(commands), TOGETHER):
            verdicts |= self._apply({place: commands[place] for place in places})
        return [verdicts[place] for place in range(len(deliveries))]

    def _apply(self, commands: Mapping[int, PaymentCommand]) -> Mapping[int, Verdict]:
        try:
            effects = apply_payments(list(commands.values()), store=self.store, terms=self.terms)
        except Failure:
            raise
        except Exception as error:
            if len(commands) == 1:
                return dict.fromkeys(commands, error)
            # It is one of them: each by itself, so that the others are applied.
            alone = [self._apply({place: command}) for place, command in commands.items()]
            return {place: verdict for each in alone for place, verdict in each.items()}
        return {
            place: _verdict(command, effect) for (place, command), effect in zip(commands.items(), effects, strict=True)
        }


def _verdict(command: PaymentCommand, effect: Effect) -> Verdict:
    if effect is Effect.NO_BOOKING:
        return BookingNotFound()
    changed = effect is Effect.CHANGED
    (_log.info if changed else _log.debug)(
        "consumer.applied" if changed else "consumer.unchanged",
        command=type(command).__name__,
        booking_id=str(command.booking_id),
        payment_id=command.payment_id,
        message_id=str(command.message_id),
        correlation_id=command.correlation_id,
    )
    return Outcome.APPLIED if changed else Outcome.UNCHANGED


def _slices(places: Sequence[int], size: int) -> Iterable[Sequence[int]]:
    return (places[start : start + size] for start in range(0, len(places), size))
