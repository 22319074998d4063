"""Changes that are not committed yet, laid over rows that are."""

from collections.abc import Iterator, Mapping, MutableMapping
from typing import TypeVar

K = TypeVar("K")
V = TypeVar("V")


class Layer(MutableMapping[K, V]):
    """A mapping that reads through to `below` and keeps its own writes until `settle`.

    What others commit below shows through at once, as under READ COMMITTED. Iteration goes by the order below, then
    by the order of the new keys.
    """

    def __init__(self, below: MutableMapping[K, V]) -> None:
        self._below = below
        self._written: dict[K, V] = {}
        self._removed: set[K] = set()

    @property
    def written(self) -> Mapping[K, V]:
        """What was set here and not removed again."""
        return self._written

    @property
    def below(self) -> Mapping[K, V]:
        """The committed rows, without the changes of this layer."""
        return self._below

    def __getitem__(self, key: K) -> V:
        if key in self._written:
            return self._written[key]
        if key in self._removed:
            raise KeyError(key)
        return self._below[key]

    def __setitem__(self, key: K, value: V) -> None:
        self._removed.discard(key)
        self._written[key] = value

    def __delitem__(self, key: K) -> None:
        if key not in self:
            raise KeyError(key)
        self._written.pop(key, None)
        self._removed.add(key)

    def __iter__(self) -> Iterator[K]:
        yield from (key for key in self._below if key not in self._removed)
        yield from (key for key in self._written if key not in self._below)

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def settle(self) -> None:
        """Make the changes part of what lies below."""
        for key in self._removed:
            self._below.pop(key, None)
        self._below.update(self._written)
