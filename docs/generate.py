"""Writes the pages of the documentation that are made from the code: `python docs/generate.py`."""

from pathlib import Path

from booking_core.lifecycle import TRANSITIONS, Moves, Outcome, Refunds, Refuses, diagram

PAGES = Path(__file__).parent

_LIFECYCLE = """\
<!-- Made by `python docs/generate.py` from booking_core.lifecycle; changes belong there. -->

# The lifecycle of a booking

{diagram}
A hold (PENDING or PROCESSING) whose deadline has come is settled by TIME before any other trigger is looked at.
The deadline of PENDING is the end of the payment window. The deadline of PROCESSING is five minutes after the payment
began, and never before the end of the window. "In time" is before the deadline; the deadline itself is too late.

RESERVE makes a PENDING booking out of nothing. REFUND_ANSWERED changes only the payment, in every status.

| status | trigger | what follows |
|---|---|---|
{table}

A customer who cancels a booking again that they have cancelled before is answered with the booking, not refused.
"""


def told(outcome: Outcome) -> str:
    """The outcome as the table says it."""
    if isinstance(outcome, Refunds):
        return f"stays; the payment is asked back (`{outcome.reason.value}`)"
    if isinstance(outcome, Refuses):
        return f"refused with `{outcome.code}`"
    if isinstance(outcome, Moves):
        reason = f" (`{outcome.reason.value}`)" if outcome.reason else ""
        otherwise = f"; if {outcome.unless}: {told(outcome.otherwise)}" if outcome.otherwise else ""
        return f"**{outcome.to.value}**{reason}{otherwise}"
    return "nothing"


def lifecycle() -> str:
    """The page `lifecycle.md`: the diagram, and the whole table in the order of the code."""
    rows = [
        f"| {status.value} | {trigger.value} | {told(outcome)} |"
        for status, row in TRANSITIONS.items()
        for trigger, outcome in row.items()
    ]
    return _LIFECYCLE.format(diagram=f"```mermaid\n{diagram()}```\n", table="\n".join(rows))


def main() -> None:
    """Write every generated file anew; what belongs to no event any more is removed."""
    from event_pages import event_files  # beside this file: importable when this is run as a program

    (PAGES / "lifecycle.md").write_text(lifecycle(), encoding="utf-8")
    events = PAGES / "events"
    events.mkdir(exist_ok=True)
    files = event_files()
    for name, content in files.items():
        (events / name).write_text(content, encoding="utf-8")
    for old in events.iterdir():
        if old.name not in files:
            old.unlink()


if __name__ == "__main__":
    main()
