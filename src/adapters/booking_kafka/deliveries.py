"""Records as the client gives them, turned into deliveries. Strangers may have written them."""

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from booking_core.ports import Delivery

if TYPE_CHECKING:
    from kafka.consumer.fetcher import ConsumerRecord

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def delivery_of(record: "ConsumerRecord") -> Delivery:
    """The record, with nothing changed; a header without a value has an empty one."""
    return Delivery(
        topic=record.topic,
        partition=record.partition,
        offset=record.offset,
        timestamp=moment(record.timestamp),
        key=record.key,
        value=record.value,
        headers=tuple([(name, value or b"") for name, value in record.headers]),  # a list is the faster way there
    )


def moment(milliseconds: int | None) -> datetime | None:
    """The moment so long after 1970, in UTC; None if there is none, or it is beyond the calendar."""
    if milliseconds is None or milliseconds < 0:
        return None
    try:
        return _EPOCH + timedelta(milliseconds=milliseconds)
    except OverflowError:
        return None
