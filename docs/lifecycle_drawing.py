"""The lifecycle as a picture: texts come from the table, positions are set here."""

from typing import Final
from xml.sax.saxutils import escape

from attrs import frozen
from lifecycle_page import rows

from booking_core.domain.lifecycle import Becomes, Status

_WIDTH, _HEIGHT = 960, 482
_BOX: Final = (150, 46)
_LINE: Final = 18
_CENTRES: Final = {
    Status.PENDING: (480, 80),
    Status.PROCESSING: (480, 220),
    Status.CONFIRMED: (760, 400),
    Status.CANCELLED: (200, 400),
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
    (Status.PENDING, Status.PROCESSING): _Arrow("M480,103 V195", (490, 155)),
    (Status.PENDING, Status.CONFIRMED): _Arrow("M555,80 H790 Q810,80 810,100 V375", (800, 212), "end"),
    (Status.PENDING, Status.CANCELLED): _Arrow("M405,80 H170 Q150,80 150,100 V375", (160, 125)),
    (Status.PROCESSING, Status.CONFIRMED): _Arrow("M540,243 L700,374", (612, 322), "end"),
    (Status.PROCESSING, Status.CANCELLED): _Arrow("M420,243 L260,374", (380, 268), "end", -22),
    (Status.CONFIRMED, Status.CANCELLED): _Arrow("M685,400 H278", (480, 422), "middle"),
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
    for row in rows():
        if row.status and isinstance(row.outcome, Becomes):
            words.setdefault((row.status, row.outcome.to), []).append(row.label)
    parts = [
        _HEAD.format(width=_WIDTH, height=_HEIGHT),
        '<circle class="dot" cx="480" cy="16" r="8"/>',
        *_drawn(_Arrow("M480,24 V55", (492, 44)), ["RESERVE"]),
        *(part for move, triggers in words.items() for part in _drawn(_ARROWS[move], triggers)),
        *(part for status in Status for part in _box(status)),
        *_drawn(_Arrow("M200,423 V453", (0, 0)), []),
        '<circle class="line" cx="200" cy="464" r="9"/><circle class="dot" cx="200" cy="464" r="5"/>',
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
