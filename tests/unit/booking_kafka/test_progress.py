"""What is committed, where a rewind goes, and what a rebalance takes away."""

from kafka import TopicPartition

from booking_core.ports import Delivery
from booking_kafka.progress import Progress

ZERO, ONE = TopicPartition("t", 0), TopicPartition("t", 1)


def deliveries(*places: tuple[int, int]) -> list[Delivery]:
    return [
        Delivery(topic="t", partition=partition, offset=offset, timestamp=None, key=None, value=None)
        for partition, offset in places
    ]


def test_the_next_offset_is_committed_and_the_first_remembered() -> None:
    progress = Progress()
    progress.polled(deliveries((0, 7), (0, 9), (1, 0)))
    progress.polled(deliveries((0, 12)))

    assert {partition: offset.offset for partition, offset in progress.offsets().items()} == {ZERO: 13, ONE: 1}
    assert {partition: span.first for partition, span in progress.spans.items()} == {ZERO: 7, ONE: 0}


def test_what_is_done_is_forgotten() -> None:
    progress = Progress()
    progress.polled(deliveries((0, 7)))
    progress.forget()
    progress.polled(deliveries((0, 8)))

    assert progress.spans[ZERO].first == 8


def test_a_rebalance_takes_what_was_polled() -> None:
    progress = Progress()
    progress.polled(deliveries((0, 7)))
    progress.on_partitions_revoked({ZERO})
    progress.on_partitions_revoked(set())
    progress.on_partitions_assigned({ONE})

    assert progress.lost
    assert progress.offsets() == {}


def test_a_rebalance_between_commit_and_poll_takes_nothing() -> None:
    progress = Progress()
    progress.polled(deliveries((0, 7)))
    progress.forget()
    progress.on_partitions_revoked({ZERO})

    assert not progress.lost
