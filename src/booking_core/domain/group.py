"""A group of reservations in one transaction: decided in the order of arrival, or deferred.

Each member sees the seats and holds that earlier members of the group took. The result equals a sequential order in
which the deferred members come after the group.
"""

from collections import Counter
from collections.abc import Sequence
from enum import Enum
from uuid import UUID

from attrs import evolve, frozen

from booking_core.domain.booking import Booking
from booking_core.domain.commands import Reserve
from booking_core.domain.errors import Refusal
from booking_core.domain.policies import event_is_on_sale, missing_seats, refusal_of
from booking_core.domain.reservation import ReservationFacts, StoredResponse
from booking_core.domain.values import Terms


class Deferral(Enum):
    """Why a member is not decided in its group and has to be reserved alone."""

    USER_LOCKED = "user_locked"
    """Another transaction holds the lock of the user."""
    SEAT_LOCKED_OR_UNKNOWN = "seat_locked_or_unknown"
    """A wanted seat was not locked: another transaction holds its lock, or it does not exist."""
    EVENT_UNKNOWN = "event_unknown"
    """The store does not know the event, and the Catalog may."""
    CATALOG_STALE = "catalog_stale"
    """The Catalog has facts that decide this reservation."""
    OVERDUE_HOLD = "overdue_hold"
    """A wanted seat has an overdue hold, which has to be settled first."""
    IDEMPOTENCY_KEY = "idempotency_key"
    """The key occurs earlier in the group, belongs to another user, or its first request is still running."""
    RESPONSE_FAILED = "response_failed"
    """The response to be stored under the key cannot be rendered or stored."""
    WRITE_FAILED = "write_failed"
    """The write of the group failed until this member was the only one left."""


@frozen(kw_only=True)
class MemberFacts(ReservationFacts):
    """The facts of one member, read after every lock of the group was acquired or skipped.

    `seats` are the wanted seats whose lock is held. `known` is set if none was locked because a wanted seat has a live
    claim; it then names the wanted seats that exist. A seat that is in neither proves nothing.
    """

    user_is_locked: bool
    """The lock of the user is held, so that no other transaction can add a hold of this user."""
    overdue_seats: frozenset[UUID] = frozenset()
    """The wanted seats with a live claim whose hold is overdue."""


@frozen(kw_only=True)
class GroupMember:
    """A command and what the store found for it; anything but facts is the member's outcome already."""

    command: Reserve
    facts: MemberFacts | StoredResponse | Refusal | Deferral


Decision = Booking | StoredResponse | Refusal | Deferral


def decide_group(members: Sequence[GroupMember], terms: Terms) -> list[Decision]:
    """Decide the members one after the other: a new PENDING booking, a refusal, a stored response or a deferral.

    A refusal may rest on a seat or a hold of an earlier member, so it holds only once the group is committed.
    """
    seats: set[tuple[UUID, UUID]] = set()
    holds: Counter[str] = Counter()
    decisions: list[Decision] = []
    for member in members:
        decision = _decide(member, seats, holds, terms)
        if isinstance(decision, Booking):
            holds[decision.user_id] += 1
            seats.update((decision.event_id, seat_id) for seat_id in decision.seat_ids)
        decisions.append(decision)
    return decisions


def deferral_of(facts: MemberFacts) -> Deferral | None:
    """Why the facts do not decide this member; None if they do.

    A refusal needs no lock if it rests on what is committed: the event is not on sale, or a seat has a live claim.
    """
    if facts.event is None:
        return Deferral.EVENT_UNKNOWN
    if event_is_on_sale(facts) is not None:
        return None
    if facts.taken:
        return Deferral.SEAT_LOCKED_OR_UNKNOWN if missing_seats(facts) else None
    if facts.overdue_seats:
        return Deferral.OVERDUE_HOLD
    if not facts.user_is_locked:
        return Deferral.USER_LOCKED
    return Deferral.SEAT_LOCKED_OR_UNKNOWN if len(facts.seats) < len(facts.wanted) else None


def _decide(member: GroupMember, seats: set[tuple[UUID, UUID]], holds: Counter[str], terms: Terms) -> Decision:
    command, facts = member.command, member.facts
    if not isinstance(facts, MemberFacts):
        return facts
    if (deferral := deferral_of(facts)) is not None:
        return deferral
    if refusal := refusal_of(_after_earlier_members(command, facts, seats, holds)):
        return refusal
    assert facts.event is not None  # noqa: S101 - an unknown event is deferred
    return Booking.reserve(
        user_id=command.user_id,
        event=facts.event,
        seats=tuple([facts.seats[seat_id] for seat_id in command.seat_ids]),
        now=facts.now,
        terms=terms,
        cause=command.cause,
    )


def _after_earlier_members(
    command: Reserve, facts: MemberFacts, seats: set[tuple[UUID, UUID]], holds: Counter[str]
) -> MemberFacts:
    """The facts as they are once the earlier members of the group are written."""
    taken = {seat_id for seat_id in facts.wanted if (command.event_id, seat_id) in seats}
    if not taken and command.user_id not in holds:
        return facts
    return evolve(facts, taken=facts.taken | taken, pending=facts.pending + holds[command.user_id])
