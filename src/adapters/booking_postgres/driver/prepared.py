"""Which statements a connection has prepared, and how our SQL looks to the server."""

import re
from functools import lru_cache
from typing import Any, Final
from weakref import WeakKeyDictionary

import psycopg
from attrs import define, field, frozen

_PARAMETER: Final = re.compile(r"%\((\w+)\)s")
_MOST: Final = 500


@frozen
class Query:
    """SQL with `$1`, `$2`, … as the server wants it, and the names of its parameters in that order."""

    sql: bytes
    names: tuple[str, ...]


@lru_cache(maxsize=_MOST)
def query_of(sql: str) -> Query:
    """The query of a statement with `%(name)s` parameters; a name that stands twice is one parameter."""
    names: dict[str, int] = {}

    def numbered(found: re.Match[str]) -> str:
        return f"${names.setdefault(found[1], len(names) + 1)}"

    return Query(_PARAMETER.sub(numbered, sql).encode(), tuple(names))


@define(eq=False)
class Prepared:
    """The statements prepared on one connection. The server infers the types of parameters, so text says it all."""

    _names: dict[bytes, bytes] = field(factory=dict, init=False)
    _made: int = field(default=0, init=False)

    def name_of(self, query: Query) -> bytes | None:
        """Its name on the server; None if it was never prepared here."""
        return self._names.get(query.sql)

    def new_name(self) -> bytes:
        """A name that this connection has not used; psycopg's own begin otherwise."""
        self._made += 1
        return b"booking_%d" % self._made

    @property
    def has_room(self) -> bool:
        """Servers keep a plan of each: there is an end to it."""
        return len(self._names) < _MOST

    def forget(self, query: Query) -> None:
        """The server does not have it after all."""
        self._names.pop(query.sql, None)

    def remember(self, query: Query, name: bytes) -> None:
        """The server has it under that name."""
        self._names[query.sql] = name


_ON: Final[WeakKeyDictionary["psycopg.Connection[Any]", Prepared]] = WeakKeyDictionary()


def allow_on(connection: "psycopg.Connection[Any]") -> None:
    """From now on statements may be prepared on this connection. Only for connections of our own pool.

    On a connection that psycopg prepares on as well, it deallocates everything after each rollback, ours included.
    """
    _ON[connection] = Prepared()


def forbid_on(connection: "psycopg.Connection[Any]") -> None:
    """The server, or a proxy before it, does not keep what we prepare: no more of it on this connection."""
    _ON.pop(connection, None)


def prepared_on(connection: "psycopg.Connection[Any]") -> Prepared | None:
    """What is prepared on this connection, forgotten together with it; None where nothing may be."""
    return _ON.get(connection)
