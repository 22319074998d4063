"""The page `lifecycle.md`: the table of transitions as text and as a Mermaid diagram, cases and guards included."""

from collections.abc import Callable, Iterator
from typing import Final

from attrs import frozen

from booking_core.domain.lifecycle import TRANSITIONS, Becomes, Outcome, Status, Stays, Trigger
from booking_core.messages.envelopes import PUBLISHED

_PAGE: Final = """\
<!-- Made by `python docs/generate.py` from booking_core.domain.lifecycle; changes belong there. -->

# The lifecycle of a booking

![From PENDING to PROCESSING, CONFIRMED and CANCELLED; the table below has all of it.](images/lifecycle.svg)

The code executes this table (`TRANSITIONS` in `lifecycle.py`), and each guard is a function of `policies.py`. The first
case whose guard is true decides. A refusal changes nothing.

A hold (PENDING or PROCESSING) whose deadline has come meets TIME before any other trigger. The deadline of PENDING is
the end of the payment window. The deadline of PROCESSING is five minutes after the payment began, and never before the
end of the window. "In time" is before the deadline; the deadline itself is too late.

RESERVE makes a PENDING booking out of nothing. REFUND_ANSWERED changes only the payment, in every status.

| status | trigger | if | what follows |
|---|---|---|---|
{table}

The picture as text, for Mermaid:

```mermaid
{diagram}
```
"""
_NAMES: Final = {kind: name for name, kind in PUBLISHED.items()}


@frozen
class Row:
    """One case of one cell of the table."""

    status: Status | None
    trigger: Trigger
    guard: str
    outcome: Outcome

    @property
    def label(self) -> str:
        """The trigger and its guard, as UML writes them."""
        return f"{self.trigger.value} [{self.guard}]" if self.guard else self.trigger.value


def rows() -> Iterator[Row]:
    """Every case in the order of the code."""
    for status, triggers in TRANSITIONS.items():
        for trigger, cell in triggers.items():
            if isinstance(cell, tuple):
                for guard, outcome in cell:
                    yield Row(status, trigger, guard_text(guard), outcome)
            else:
                yield Row(status, trigger, "", cell)


def guard_text(guard: Callable[..., bool]) -> str:
    """The name of the function, as words: `br_02_is_overdue` is "BR-02 is overdue"."""
    words = guard.__name__.split("_")
    return " ".join([f"BR-{words[1]}", *words[2:]] if words[0] == "br" else words)


def lifecycle_page() -> str:
    """The whole page."""
    table = [
        f"| {row.status.value if row.status else '–'} | {row.trigger.value} | {row.guard} | {_follows(row.outcome)} |"
        for row in rows()
    ]
    return _PAGE.format(table="\n".join(table), diagram=diagram())


def diagram() -> str:
    """The table as a Mermaid state diagram: what changes the status, and what requests a refund."""
    lines = ["stateDiagram-v2"]
    for row in rows():
        status = row.status.value if row.status else "[*]"
        if isinstance(row.outcome, Becomes):
            reason = f" / {row.outcome.reason.value}" if row.outcome.reason else ""
            lines.append(f"    {status} --> {row.outcome.to.value}: {row.label}{reason}")
        elif isinstance(row.outcome, Stays) and row.outcome.refund:
            lines.append(f"    {status} --> {status}: {row.label} / refund {row.outcome.refund.reason.value}")
    return "\n".join([*lines, "    CANCELLED --> [*]"])


def _follows(outcome: Outcome) -> str:
    if outcome is None:
        return "nothing"
    if isinstance(outcome, type):
        return f"refused with `{outcome.code}`"
    if isinstance(outcome, Stays):
        parts = ["stays" if outcome.refund else "recorded in the history"]
    else:
        parts = [f"**{outcome.to.value}**" + (f" (`{outcome.reason.value}`)" if outcome.reason else "")]
        parts += [f"`{_NAMES[kind]}`" for kind in outcome.publishes]
    if outcome.refund:
        which = outcome.refund.payments.__name__.replace("_", " ")
        parts.append(f"`booking.refund_requested` for {which} (`{outcome.refund.reason.value}`)")
    return ", ".join(parts)
