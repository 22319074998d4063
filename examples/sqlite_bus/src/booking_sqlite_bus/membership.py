"""Who reads for a group: its members, shared out over the partitions. Callers hold a writing transaction.

Each change of the members counts the group's generation up. A commit holds only in the generation in which its
messages were polled, and that is what keeps two members from one partition; the clock says only how soon a member
that died without leaving is given up.
"""

import sqlite3
from typing import Final

from attrs import frozen

from booking_sqlite_bus.topics import PARTITIONS

NOBODY: Final = -1


@frozen
class Share:
    """What is one member's in one generation of its group."""

    member: int
    generation: int
    partitions: tuple[int, ...]


@frozen
class Group:
    """One consumer group of one topic."""

    topic: str
    name: str

    def renew(self, connection: sqlite3.Connection, member: int, now: float, lease: float) -> Share:
        """The member is alive, and joins if the group does not know it; those not heard of for `lease` s are out."""
        gone = connection.execute(
            "DELETE FROM members WHERE topic = ? AND name = ? AND id <> ? AND seen_at NOT BETWEEN ? AND ?",
            # One that was seen in the future was seen before the clock was set back.
            (self.topic, self.name, member, now - lease, now + lease),
        ).rowcount
        known = connection.execute("UPDATE members SET seen_at = ? WHERE id = ?", (now, member)).rowcount
        if not known:
            cursor = connection.execute(
                "INSERT INTO members (topic, name, seen_at) VALUES (?, ?, ?)", (self.topic, self.name, now)
            )
            member = cursor.lastrowid or NOBODY
        if gone or not known:
            self._count_up(connection)
        return self._share(connection, member)

    def leave(self, connection: sqlite3.Connection, member: int) -> None:
        """Its partitions go to the others."""
        if connection.execute("DELETE FROM members WHERE id = ?", (member,)).rowcount:
            self._count_up(connection)

    def generation(self, connection: sqlite3.Connection) -> int:
        """The present one; 0 before the first member."""
        row = connection.execute(
            "SELECT generation FROM groups WHERE topic = ? AND name = ?", (self.topic, self.name)
        ).fetchone()
        return int(row[0]) if row else 0

    def _share(self, connection: sqlite3.Connection, member: int) -> Share:
        rows = connection.execute(
            "SELECT id FROM members WHERE topic = ? AND name = ? ORDER BY id", (self.topic, self.name)
        ).fetchall()
        place = rows.index((member,))
        mine = tuple(number for number in range(PARTITIONS) if number % len(rows) == place)
        return Share(member, self.generation(connection), mine)

    def _count_up(self, connection: sqlite3.Connection) -> None:
        connection.execute(
            "INSERT INTO groups VALUES (?, ?, 1) ON CONFLICT (topic, name) DO UPDATE SET generation = generation + 1",
            (self.topic, self.name),
        )
