"""Topics in the file: messages in partitions, and how far each group has come. Callers hold a transaction."""

import json
import sqlite3
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final
from zlib import crc32

from booking_core.ports import Delivery, Message

PARTITIONS: Final = 6
"""Never to be changed: messages of one key would be in two partitions then, and lose their order."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
# Of old messages, so that removing them never keeps a publisher waiting for long.
_MOST_REMOVED: Final = 5_000


def append(connection: sqlite3.Connection, topic: str, messages: Sequence[Message]) -> None:
    """Put the messages at the ends of their partitions, in the order given."""
    ends = ends_of(connection, topic)
    sent_at = (datetime.now(UTC) - _EPOCH) // _MICROSECOND
    rows = []
    for message in messages:
        partition = crc32(message.key) % PARTITIONS
        # Not ASCII alone: what cannot be written as UTF-8 must fail here, and not with whoever reads it.
        headers = json.dumps(dict(message.headers), ensure_ascii=False)
        rows.append((topic, partition, ends[partition], sent_at, message.key, message.value, headers))
        ends[partition] += 1
    connection.executemany("INSERT INTO messages VALUES (?, ?, ?, ?, ?, ?, ?)", rows)
    connection.executemany(
        "INSERT OR REPLACE INTO ends VALUES (?, ?, ?)", [(topic, number, end) for number, end in ends.items()]
    )


def remove_older(connection: sqlite3.Connection, keep: timedelta) -> None:
    """Remove messages that were sent longer ago than that, read or not; thousands at a time."""
    before = (datetime.now(UTC) - keep - _EPOCH) // _MICROSECOND
    connection.execute(
        "DELETE FROM messages WHERE rowid IN (SELECT rowid FROM messages WHERE sent_at < ? LIMIT ?)",
        (before, _MOST_REMOVED),
    )


def read(connection: sqlite3.Connection, topic: str, partition: int, start: int, limit: int) -> list[Delivery]:
    """Up to `limit` messages of the partition from that offset on, in order."""
    rows = connection.execute(
        "SELECT position, sent_at, key, value, headers FROM messages"
        " WHERE topic = ? AND partition = ? AND position >= ? ORDER BY position LIMIT ?",
        (topic, partition, start, limit),
    )
    return [
        Delivery(
            topic=topic,
            partition=partition,
            offset=position,
            timestamp=_EPOCH + sent_at * _MICROSECOND,
            key=key,
            value=value,
            headers=tuple((name, text.encode()) for name, text in json.loads(headers).items()),
        )
        for position, sent_at, key, value, headers in rows
    ]


def ends_of(connection: sqlite3.Connection, topic: str) -> dict[int, int]:
    """By partition, the offset that its next message will have."""
    rows = connection.execute("SELECT partition, position FROM ends WHERE topic = ?", (topic,))
    return dict.fromkeys(range(PARTITIONS), 0) | dict(rows.fetchall())


def committed_by(connection: sqlite3.Connection, topic: str, group: str) -> dict[int, int]:
    """By partition, the offset up to which the group is done; 0 where it has committed nothing."""
    rows = connection.execute("SELECT partition, position FROM progress WHERE topic = ? AND name = ?", (topic, group))
    return dict.fromkeys(range(PARTITIONS), 0) | dict(rows.fetchall())


def commit(connection: sqlite3.Connection, topic: str, group: str, done: Mapping[int, int]) -> None:
    """The group is done up to these offsets, by partition. It never goes back."""
    connection.executemany(
        "INSERT INTO progress VALUES (?, ?, ?, ?)"
        " ON CONFLICT (topic, name, partition) DO UPDATE SET position = max(position, excluded.position)",
        [(topic, group, partition, position) for partition, position in done.items()],
    )


def waiting_for(connection: sqlite3.Connection, topic: str, group: str) -> dict[int, range]:
    """By partition, the offsets that wait for the group; those of messages that were removed do not."""
    ends, committed = ends_of(connection, topic), committed_by(connection, topic, group)
    found = {}
    for partition, end in ends.items():
        following = read(connection, topic, partition, committed[partition], 1)
        start = following[0].offset if following else end
        found[partition] = range(start, end)
    return found
