"""Replaying dead letters: the normal path once more, nothing lost and nothing for ever, whatever happens on the way."""

from collections.abc import Sequence
from uuid import UUID

import pytest
from attrs import define

from booking_core.application import confirm_payment, show_booking
from booking_core.domain.errors import BusUnavailable, ServiceBusy
from booking_core.domain.lifecycle import Status
from booking_core.domain.values import Terms
from booking_core.messages.payment_messages import parse
from booking_core.ports.event_bus import Delivery, Message
from booking_memory.bus import MemoryEventBus, MemorySubscription
from booking_workers.consumer import Consumer, MessageHandler
from booking_workers.dead_letters import DeadLetters
from booking_workers.replay_dead_letters import (
    STALL_SECONDS,
    DeadLetterReplay,
    ReplayStalled,
    dry_run_handle,
    replay_group,
)
from tests.support.workers import FailingBus, World, payment

PAYMENTS, DEAD = "payment.events", "booking.dead-letters"
GROUP = replay_group("booking-core")


@pytest.fixture
def world() -> World:
    return World(bus=FailingBus())


def replay_of(world: World, stall_seconds: float = STALL_SECONDS) -> DeadLetterReplay:
    return DeadLetterReplay(
        world.bus,
        topic=DEAD,
        group=GROUP,
        handle=MessageHandler(world.store, Terms()).handle,
        dead_letters=DeadLetters(world.bus, DEAD),
        poll_seconds=0.0,
        stall_seconds=stall_seconds,
    )


def bury(world: World, *values: bytes, key: bytes = b"k") -> None:
    """Let the consumer make dead letters of these."""
    world.bus.publish(PAYMENTS, [Message(key=key, value=value) for value in values])
    letters = DeadLetters(world.bus, DEAD)
    consumer = Consumer(
        world.store,
        world.bus,
        topic=PAYMENTS,
        group="booking-core",
        dead_letters=letters,
        terms=Terms(),
        poll_seconds=0.0,
    )
    consumer.run_once()
    consumer.close()
    assert letters.kept == len(values)


def waiting(world: World) -> int:
    return sum(map(len, world.bus.backlog(DEAD, GROUP).values()))


def unknown(number: int) -> bytes:
    return payment(UUID(int=number), number=number)


def test_the_group_is_named_after_the_consumers() -> None:
    assert GROUP == "booking-core-replay"


def test_what_can_be_applied_now_is_and_the_rest_is_kept_with_a_fresh_reason(world: World) -> None:
    value = unknown(7)
    bury(world, b"nonsense", value)
    first = world.read(DEAD)
    booking = world.reserve(1, 2)
    world.bus.publish(DEAD, [Message(key=b"k", value=payment(booking.booking_id, number=2))])
    replay = replay_of(world)

    assert replay.run() is True

    assert replay.counts == {"applied": 1, "failed": 2}
    assert show_booking(booking.booking_id, store=world.store)[0].status is Status.CONFIRMED
    kept = world.read(DEAD)[1:]
    assert [(letter.key, letter.value) for letter in kept] == [(b"k", b"nonsense"), (b"k", value)]
    for before, after in zip(first, kept, strict=True):
        was, now = dict(before.headers), dict(after.headers)
        assert {name: text for name, text in now.items() if name != "dead_lettered_at"} == {
            name: text for name, text in was.items() if name != "dead_lettered_at"
        }, "where it came from stays, and so does the reason if nothing has changed"
    assert waiting(world) == 2


def test_the_reason_is_todays(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    booking = world.reserve(1, 2)

    def bug(*_: object, **__: object) -> bool:
        raise KeyError("a secret")

    monkeypatch.setattr("booking_workers.consumer.apply_payments", bug)
    world.bus.publish(DEAD, [Message(key=b"k", value=payment(booking.booking_id), headers={"reason": "X: old"})])

    replay_of(world).run()

    _, kept = world.read(DEAD)
    said = dict(kept.headers)
    assert said["reason"] == b"INTERNAL_ERROR: KeyError while it was applied"
    assert (said["origin_topic"], said["origin_offset"]) == (DEAD.encode(), b"0"), "a stranger's letter: its own place"


def test_what_was_kept_again_waits_for_the_next_replay(world: World) -> None:
    bury(world, *[unknown(number) for number in range(1, 6)])
    for _ in range(3):
        replay = replay_of(world)
        replay.run()
        assert replay.counts == {"applied": 0, "failed": 5}
        assert waiting(world) == 5


def test_nothing_waits(world: World) -> None:
    replay = replay_of(world)

    assert replay.run() is True
    assert replay.counts == {"applied": 0, "failed": 0}


def test_letters_of_many_partitions(world: World) -> None:
    """Some partitions are done, and hold letters that were kept again, while others still wait."""
    world.bus = MemoryEventBus(most_per_poll=1)
    for number in range(1, 13):
        bury(world, unknown(number), key=f"key-{number}".encode())
    told: list[tuple[int, int]] = []
    replay = replay_of(world)

    replay.run(lambda done, of: told.append((done, of)))

    assert replay.counts == {"applied": 0, "failed": 12}
    assert told[-1] == (12, 12)
    assert waiting(world) == 12


def test_a_truncated_letter_stays_one(world: World) -> None:
    bury(world, b"x" * 900_001)

    replay_of(world).run()

    (_, again) = world.read(DEAD)
    assert dict(again.headers)["truncated"] == b"true"


def test_a_dry_run_changes_nothing(world: World) -> None:
    booking = world.reserve(1, 2)
    bury(world, b"nonsense", unknown(7))
    skipped = b'{"eventType": "invoice.sent"}'
    values = [payment(booking.booking_id, number=2), skipped]
    world.bus.publish(DEAD, [Message(key=b"k", value=value) for value in values])
    before = waiting(world)
    replay = DeadLetterReplay(
        world.bus, topic=DEAD, group=GROUP, handle=dry_run_handle(world.store), dead_letters=None, poll_seconds=0.0
    )

    assert replay.run() is True

    assert replay.counts == {"applied": 2, "failed": 2}
    assert waiting(world) == before == 4
    assert show_booking(booking.booking_id, store=world.store)[0].status is Status.PENDING


def test_a_dry_run_says_which_event_ids_are_reused(world: World) -> None:
    first, second = world.reserve(1, 2), world.reserve(3, 4, user="bob")
    assert confirm_payment(parse(payment(first.booking_id, number=1)), store=world.store)  # type: ignore[arg-type]
    bury(world, payment(second.booking_id, number=1))
    replay = DeadLetterReplay(
        world.bus, topic=DEAD, group=GROUP, handle=dry_run_handle(world.store), dead_letters=None, poll_seconds=0.0
    )

    replay.run()

    assert replay.counts == {"applied": 0, "failed": 1}


def test_a_reused_event_id_stays_a_dead_letter(world: World) -> None:
    first, second = world.reserve(1, 2), world.reserve(3, 4, user="bob")
    assert confirm_payment(parse(payment(first.booking_id, number=1)), store=world.store)  # type: ignore[arg-type]
    bury(world, payment(second.booking_id, number=1))

    replay_of(world).run()
    world.later(60 * 24 * 30)
    world.store.upkeep.prune(idempotency_hours=1, retention_days=7, limit=100)
    replay_of(world).run()

    assert waiting(world) == 1
    assert show_booking(second.booking_id, store=world.store)[0].payments == {}


def test_an_outage_of_the_database_commits_nothing(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    booking = world.reserve(1, 2)
    bury(world, b"nonsense")
    world.bus.publish(DEAD, [Message(key=b"k", value=payment(booking.booking_id, number=2))])
    with monkeypatch.context() as patch:
        patch.setattr(world.store, "unit_of_work", _busy)
        with pytest.raises(ServiceBusy):
            replay_of(world).run()
    assert waiting(world) == 2

    replay_of(world).run()

    assert show_booking(booking.booking_id, store=world.store)[0].status is Status.CONFIRMED
    assert waiting(world) == 1


def test_killed_between_keeping_and_committing_it_loses_nothing(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    bury(world, unknown(7), unknown(8))
    with monkeypatch.context() as patch:
        patch.setattr(MemorySubscription, "commit", _killed)
        with pytest.raises(KeyboardInterrupt):
            replay_of(world).run()
    booking_ids = {letter.value for letter in world.read(DEAD)}

    replay = replay_of(world)
    replay.run()

    assert booking_ids == {unknown(7), unknown(8)}
    assert {letter.value for letter in world.read(DEAD)} == booking_ids
    assert replay.counts["failed"] == 4, "twice each, for nobody knew that they were kept"


def test_a_commit_that_fails_is_tried_again_and_nothing_is_handled_twice(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    bury(world, unknown(7), unknown(8))
    commit = MemorySubscription.commit
    refused: list[bool] = []

    def once_refused(self: MemorySubscription, before: dict[int, int] | None = None) -> None:
        if not refused:
            refused.append(True)
            self.rewind()
            raise BusUnavailable()
        commit(self, before)

    monkeypatch.setattr(MemorySubscription, "commit", once_refused)
    replay = replay_of(world)

    assert replay.run() is True
    assert replay.counts == {"applied": 0, "failed": 2}
    assert waiting(world) == 2


def test_it_stops_between_two_batches(world: World) -> None:
    bury(world, unknown(7))
    replay = replay_of(world)

    assert replay.run(should_continue=lambda: False) is False
    assert (replay.counts["failed"], waiting(world)) == (0, 1)


def test_letters_that_another_replay_holds_are_waited_for_and_then_given_up(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    bury(world, unknown(7))
    monkeypatch.setattr(MemorySubscription, "poll", lambda self, timeout: ())

    with pytest.raises(ReplayStalled):
        replay_of(world, stall_seconds=0.0).run()


def test_letters_that_another_replay_has_finished_end_this_one(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    bury(world, unknown(7))
    rival = _Rival(world)
    monkeypatch.setattr(MemorySubscription, "poll", rival.poll)

    assert replay_of(world).run() is True
    assert waiting(world) == 0


@define
class _Rival:
    """Takes what waits and commits it, when the other one polls."""

    world: World

    def poll(self, timeout: float) -> Sequence[Delivery]:
        topic = self.world.bus._topic(DEAD)
        topic.group(GROUP).committed = [len(partition) for partition in topic.partitions]
        return ()


def _busy() -> None:
    raise ServiceBusy()


def _killed(*_: object, **__: object) -> None:
    raise KeyboardInterrupt
