"""Whatever happens to a booking, in whichever order: the invariants hold, in PostgreSQL and in memory alike."""

from collections.abc import Iterator
from itertools import permutations

import psycopg
import pytest
from attrs import define, field
from hypothesis import given, note, settings
from hypothesis import strategies as st

from booking_core.contracts.harness import StoreHarness
from tests.integration.postgres.order_invariants import Watch
from tests.integration.postgres.orders import EARLY, EVERY, LATE, PERMUTED, Order, Play, orders
from tests.support.memory_harness import MemoryStoreHarness
from tests.support.postgres.fixtures import databases
from tests.support.postgres.harness import PostgresStoreHarness
from tests.support.postgres.stage import Stage

_chosen = settings.default
assert _chosen is not None
# Never fewer than these, however short the profile: most orders change nothing after two steps.
ENOUGH = settings(max_examples=max(_chosen.max_examples, 100))


@define(eq=False)
class Theatre:
    """Stores in which one play after the other is given; each begins with nothing stored."""

    harness: PostgresStoreHarness
    door: psycopg.Connection[tuple[object, ...]]
    _clearing: str = field(init=False)

    def __attrs_post_init__(self) -> None:
        # Sent at once: so many plays are given that a round trip for each table would be felt.
        self._clearing = "; ".join(f"DELETE FROM {table.fullname}" for table in reversed(self.harness.tables()))

    def give(self, order: Order, days: float, unwatched: int = 0) -> Play:
        """Play it in PostgreSQL; after each step the invariants hold, and at the end the tables agree."""
        self.door.execute(self._clearing)
        play = watched(self.harness, order, days, unwatched)
        Stage("", self.harness.store, play.fixture, self.door).check_books()
        return play


@pytest.fixture(scope="module")
def theatre(postgres_url: str, postgres_template: str) -> Iterator[Theatre]:
    with databases(postgres_url) as create:
        url = create(template=postgres_template)
        harness = PostgresStoreHarness(url)
        try:
            with psycopg.connect(url, autocommit=True) as door:
                yield Theatre(harness, door)
        finally:
            harness.close()


def watched(harness: StoreHarness, order: Order, days: float, unwatched: int = 0) -> Play:
    """Play it, and look after each step; not yet after the first few, if those were tried by themselves before."""
    play = Play(harness, days)
    watch = Watch(play)
    for number, happening in enumerate(order):
        if number >= unwatched:
            watch.look()
        play.happen(happening)
    watch.look()
    return play


def in_memory(order: Order, days: float, unwatched: int = 0) -> Play:
    return watched(MemoryStoreHarness(), order, days, unwatched)


# One choice among all of them, and not one for each place: made of several, the choices would resemble each other.
LONG = [permutation for length in (3, 4, 5) for permutation in permutations(PERMUTED, length)]
any_order = st.sampled_from(LONG) | st.lists(st.sampled_from(EVERY), min_size=3, max_size=7).map(tuple)


@ENOUGH
@given(order=any_order, days=st.sampled_from([EARLY, LATE]))
def test_in_any_order_the_invariants_hold_and_both_stores_tell_the_same_story(
    theatre: Theatre, order: Order, days: float
) -> None:
    note(" → ".join(happening.value for happening in order))

    assert theatre.give(order, days).story() == in_memory(order, days).story()


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("longest", [2, pytest.param(4, marks=pytest.mark.soak)])
def test_in_every_order_of_a_few(theatre: Theatre, longest: int) -> None:
    for order, days in orders(longest):
        tried = len(order) - 1
        assert theatre.give(order, days, tried).story() == in_memory(order, days, tried).story(), order


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("longest", [3, pytest.param(5, marks=pytest.mark.soak)])
def test_in_every_order_in_memory(longest: int) -> None:
    for order, days in orders(longest):
        in_memory(order, days, len(order) - 1)
