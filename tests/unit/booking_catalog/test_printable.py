"""Text from outside takes one printable line of the log."""

from hypothesis import given
from hypothesis import strategies as st

from booking_catalog.responses import printable


def test_breaks_controls_and_surrogates_are_replaced() -> None:
    assert printable("a\nb\r\u2028\x85\x1b[31m\0\ud800é🎭") == "a?b????[31m??é🎭"


def test_it_is_cut_to_the_limit() -> None:
    assert printable("x" * 10, limit=10) == "x" * 10
    assert printable("x" * 11, limit=10) == "x" * 9 + "…"


@given(st.text())
def test_the_result_is_always_one_short_printable_line(text: str) -> None:
    shown = printable(text, limit=20)
    assert shown.isprintable()
    assert len(shown) <= 20
    assert len(shown.splitlines()) <= 1
