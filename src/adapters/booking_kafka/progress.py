"""How far a member of a group has come: what was polled and not committed, partition by partition."""

from collections.abc import Iterable, Mapping

from attrs import define, field
from kafka import OffsetAndMetadata, TopicPartition
from kafka.consumer.subscription_state import ConsumerRebalanceListener


@define
class Span:
    """Offsets from `first` to before `end`."""

    first: int
    end: int


@define(eq=False)
class Progress(ConsumerRebalanceListener):
    """What was polled since the last commit.

    `lost` says that partitions were taken away with polled messages on them: those arrive again, here or elsewhere.
    """

    spans: dict[TopicPartition, Span] = field(factory=dict)
    lost: bool = False

    def polled(self, partition: TopicPartition, *, first: int, last: int) -> None:
        """The messages from one offset to the other were handed out; each poll's come after those before."""
        span = self.spans.setdefault(partition, Span(first, first))
        span.end = last + 1

    def offsets(self, before: Mapping[int, int] | None = None) -> Mapping[TopicPartition, OffsetAndMetadata]:
        """What to commit: for each partition, the offset of the next message; none beyond its mark in `before`."""
        ends = {
            partition: span.end if before is None else min(span.end, before.get(partition.partition, span.first))
            for partition, span in self.spans.items()
        }
        return {each: OffsetAndMetadata(end, "", -1) for each, end in ends.items() if end > self.spans[each].first}

    def committed(self, offsets: Mapping[TopicPartition, OffsetAndMetadata]) -> None:
        """So far it is done; what was polled beyond counts as polled still."""
        for partition, committed in offsets.items():
            self.spans[partition].first = committed.offset or 0
        self.spans = {partition: span for partition, span in self.spans.items() if span.first < span.end}
        self.lost = False

    def forget(self) -> None:
        """It is committed, or arrives again."""
        self.spans.clear()
        self.lost = False

    def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:
        """The group shares out its partitions anew; whoever gets one starts from its last commit."""
        self.lost = self.lost or bool(self.spans)
        self.spans.clear()

    def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        """Nothing was polled from them yet."""
