"""The lifecycle as a picture: the words are those of the table, only the places are drawn by hand."""

from typing import Final
from xml.sax.saxutils import escape

from attrs import frozen

from booking_core.domain.lifecycle import TRANSITIONS, Moves, Status

_WIDTH, _HEIGHT = 660, 462
_BOX: Final = (150, 46)
_LINE: Final = 18
_CENTRES: Final = {
    Status.PENDING: (340, 80),
    Status.PROCESSING: (340, 220),
    Status.CONFIRMED: (530, 380),
    Status.CANCELLED: (150, 380),
}


@frozen
class _Arrow:
    """Its path, and where its words begin; `slope`: how far each further line of them is moved."""

    path: str
    words_at: tuple[int, int]
    anchor: str = "start"
    slope: int = 0


# A move from one status to another that the table gains has no place here yet: then this is a KeyError.
_ARROWS: Final = {
    (Status.PENDING, Status.PROCESSING): _Arrow("M340,103 V195", (350, 155)),
    (Status.PENDING, Status.CONFIRMED): _Arrow("M415,80 H570 Q590,80 590,100 V355", (580, 212), "end"),
    (Status.PENDING, Status.CANCELLED): _Arrow("M265,80 H110 Q90,80 90,100 V355", (100, 125)),
    (Status.PROCESSING, Status.CONFIRMED): _Arrow("M390,243 L488,354", (444, 290)),
    (Status.PROCESSING, Status.CANCELLED): _Arrow("M290,243 L192,354", (252, 274), "end", -14),
    (Status.CONFIRMED, Status.CANCELLED): _Arrow("M455,380 H228", (340, 402), "middle"),
}
_HEAD: Final = """\
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" role="img">
<title>The lifecycle of a booking</title>
<!-- Made by `python docs/generate.py` from booking_core.domain.lifecycle; changes belong there. -->
<style>
svg {{ color-scheme: light dark; font: 14px system-ui, sans-serif }}
.paper {{ fill: #fff }}
.box {{ fill: #eef2fb; stroke: #3f51b5; stroke-width: 1.5 }}
.line {{ fill: none; stroke: #5b6270; stroke-width: 1.5 }}
.dot {{ fill: #5b6270 }}
text {{ fill: #1d2433 }}
.status {{ font-weight: 600; text-anchor: middle }}
.words {{ font-size: 13px }}
@media (prefers-color-scheme: dark) {{
  .paper {{ fill: #1e2029 }}
  .box {{ fill: #2b3046; stroke: #8f9ff0 }}
  .line {{ stroke: #a4abbd }}
  .dot {{ fill: #a4abbd }}
  text {{ fill: #e6e9f2 }}
}}
</style>
<defs><marker id="tip" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="8" markerHeight="8" orient="auto">
<path class="dot" d="M0,0 L10,5 L0,10 z"/></marker></defs>
<rect class="paper" width="{width}" height="{height}" rx="8"/>
"""


def drawing() -> str:
    """An SVG that needs nothing from elsewhere and is legible on light and on dark pages."""
    words: dict[tuple[Status, Status], list[str]] = {}
    for status, row in TRANSITIONS.items():
        for trigger, outcome in row.items():
            if isinstance(outcome, Moves):
                words.setdefault((status, outcome.to), []).append(trigger.value)
    parts = [
        _HEAD.format(width=_WIDTH, height=_HEIGHT),
        '<circle class="dot" cx="340" cy="16" r="8"/>',
        *_drawn(_Arrow("M340,24 V55", (352, 44)), ["RESERVE"]),
        *(part for move, triggers in words.items() for part in _drawn(_ARROWS[move], triggers)),
        *(part for status in TRANSITIONS for part in _box(status)),
        *_drawn(_Arrow("M150,403 V433", (0, 0)), []),
        '<circle class="line" cx="150" cy="444" r="9"/><circle class="dot" cx="150" cy="444" r="5"/>',
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _box(status: Status) -> list[str]:
    (x, y), (width, height) = _CENTRES[status], _BOX
    return [
        f'<rect class="box" x="{x - width // 2}" y="{y - height // 2}" width="{width}" height="{height}" rx="9"/>',
        f'<text class="status" x="{x}" y="{y + 5}">{escape(status.value)}</text>',
    ]


def _drawn(arrow: _Arrow, words: list[str]) -> list[str]:
    x, y = arrow.words_at
    return [
        f'<path class="line" d="{arrow.path}" marker-end="url(#tip)"/>',
        *(
            f'<text class="words" text-anchor="{arrow.anchor}" x="{x + arrow.slope * number}" '
            f'y="{y + _LINE * number}">{escape(text)}</text>'
            for number, text in enumerate(words)
        ),
    ]
