"""What is committed, where a rewind goes, and what a rebalance takes away."""

from kafka import TopicPartition

from booking_kafka.subscription import Progress

ZERO, ONE = TopicPartition("t", 0), TopicPartition("t", 1)


def test_the_next_offset_is_committed_and_the_first_remembered() -> None:
    progress = Progress()
    progress.polled(ZERO, first=7, last=9)
    progress.polled(ONE, first=0, last=0)
    progress.polled(ZERO, first=12, last=12)

    assert {partition: offset.offset for partition, offset in progress.offsets().items()} == {ZERO: 13, ONE: 1}
    assert {partition: span.first for partition, span in progress.spans.items()} == {ZERO: 7, ONE: 0}


def test_what_is_done_is_forgotten() -> None:
    progress = Progress()
    progress.polled(ZERO, first=7, last=7)
    progress.clear()
    progress.polled(ZERO, first=8, last=8)

    assert progress.spans[ZERO].first == 8


def test_a_rebalance_takes_what_was_polled() -> None:
    progress = Progress()
    progress.polled(ZERO, first=7, last=7)
    progress.on_partitions_revoked({ZERO})
    progress.on_partitions_revoked(set())
    progress.on_partitions_assigned({ONE})

    assert progress.is_lost
    assert progress.offsets() == {}


def test_a_rebalance_between_commit_and_poll_takes_nothing() -> None:
    progress = Progress()
    progress.polled(ZERO, first=7, last=7)
    progress.clear()
    progress.on_partitions_revoked({ZERO})

    assert not progress.is_lost
