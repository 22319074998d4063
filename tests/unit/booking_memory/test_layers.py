"""A layer reads through, keeps its writes to itself, and settles them in one go."""

from hypothesis import given
from hypothesis import strategies as st

from booking_memory.tables import Layer

KEYS = st.integers(0, 5)
CHANGES = st.lists(st.tuples(KEYS, st.none() | st.integers()), max_size=12)


def change(rows: "dict[int, int] | Layer[int, int]", changes: list[tuple[int, int | None]]) -> None:
    for key, value in changes:
        if value is None:
            rows.pop(key, None)
        else:
            rows[key] = value


@given(st.dictionaries(KEYS, st.integers()), CHANGES)
def test_a_layer_is_the_dictionary_it_will_become(rows: dict[int, int], changes: list[tuple[int, int | None]]) -> None:
    expected, committed = dict(rows), dict(rows)
    layer = Layer(committed)
    change(expected, changes)
    change(layer, changes)

    assert dict(layer) == expected
    assert len(layer) == len(expected)
    assert committed == rows, "nothing shows before it is settled"
    layer.settle()
    assert committed == expected


def test_what_others_commit_shows_through_at_once() -> None:
    committed = {1: "one"}
    layer = Layer(committed)
    committed[2] = "two"

    assert layer[2] == "two"


def test_new_rows_come_after_the_old_in_the_order_of_writing() -> None:
    layer = Layer({3: "c", 1: "a"})
    layer[9], layer[2], layer[3] = "i", "b", "C"

    assert list(layer.items()) == [(3, "C"), (1, "a"), (9, "i"), (2, "b")]
