"""Writes the pages of the documentation that are made from the code: `python docs/generate.py`."""

from pathlib import Path

from booking_core.domain.lifecycle import TRANSITIONS, Moves, Outcome, Refunds, Refuses, diagram

PAGES = Path(__file__).parent

_LIFECYCLE = """\
<!-- Made by `python docs/generate.py` from booking_core.domain.lifecycle; changes belong there. -->

# The lifecycle of a booking

![From PENDING to PROCESSING, CONFIRMED and CANCELLED; the table below has all of it.](images/lifecycle.svg)

A hold (PENDING or PROCESSING) whose deadline has come is settled by TIME before any other trigger is looked at.
The deadline of PENDING is the end of the payment window. The deadline of PROCESSING is five minutes after the payment
began, and never before the end of the window. "In time" is before the deadline; the deadline itself is too late.

RESERVE makes a PENDING booking out of nothing. REFUND_ANSWERED changes only the payment, in every status.

| status | trigger | what follows |
|---|---|---|
{table}

A customer who cancels a booking again that they have cancelled before is answered with the booking, not refused.

The picture as text, for Mermaid:

{diagram}"""


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


def pages() -> dict[str, str]:
    """Every generated file, by its path below `docs`."""
    # Beside this file: importable when this is run as a program.
    from api_pages import errors_page, routes_page
    from command_pages import commands_page
    from event_pages import event_files
    from lifecycle_drawing import drawing
    from metrics_page import metrics_page
    from setting_pages import settings_page

    return {
        "lifecycle.md": lifecycle(),
        "images/lifecycle.svg": drawing(),
        "metrics.md": metrics_page(),
        "reference/settings.md": settings_page(),
        "reference/commands.md": commands_page(),
        "reference/http.md": routes_page(),
        "reference/errors.md": errors_page(),
        **{f"events/{name}": content for name, content in event_files().items()},
    }


def main() -> None:
    """Write every generated file anew; what belongs to no event any more is removed."""
    files = pages()
    for name, content in files.items():
        (PAGES / name).parent.mkdir(exist_ok=True)
        (PAGES / name).write_text(content, encoding="utf-8")
    for old in (PAGES / "events").iterdir():
        if f"events/{old.name}" not in files:
            old.unlink()


if __name__ == "__main__":
    main()
