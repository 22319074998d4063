"""The page of the settings, from the table that the program reads them by."""

from typing import Final

from booking_service.settings import SETTINGS, Need, Setting

_PAGE: Final = """\
<!-- Made by `python docs/generate.py` from booking_service.settings; changes belong there. -->

# Settings

All come from the environment. A command asks only for those that it uses, and a missing or malformed one stops it at
once (exit code 2) with a line that names it. An empty value counts as none. No secret is ever logged or shown.

`booking doctor` says what is missing, and tries what is there.
{groups}
"""
_GROUP: Final = """
## {title}

{who}

| setting | default | meaning | for example |
|---|---|---|---|
{rows}
"""
# Title, and who reads them.
_NEEDS: Final = {
    Need.DATABASE: ("Database", "For every command but `token` and `completion`; `dev` has a database of its own."),
    Need.EVENT_BUS: (
        "Event bus",
        "For `worker`, `relay`, `consume` and `replay`; `stats` and `doctor` look where a bus is named.",
    ),
    Need.HEALTH: ("Health of the worker", "For `worker`."),
    Need.CATALOG: ("Catalog Service", "For `serve`, `catalog sync` and `cancel-event`."),
    Need.TOKENS: ("Tokens", "For `serve`. [How to connect Auth0](../how-to/connect-auth0.md)."),
    Need.TERMS: (
        "Terms",
        "For `serve`, `worker`, `consume` and `replay dead-letters`: the same in all of them.",
    ),
    Need.RETENTION: ("Retention", "For `worker`, which removes what is older; `serve` keeps answers under their keys."),
    Need.HTTP: ("Browsers", "For `serve`."),
    Need.LOGS: ("Logs", "For every command."),
}


def settings_page() -> str:
    """Every setting, in the order of the table."""
    groups = [
        _GROUP.format(
            title=title,
            who=who,
            rows="\n".join(_row(setting) for setting in SETTINGS if setting.need is need),
        )
        for need, (title, who) in ((need, _NEEDS[need]) for need in dict.fromkeys(each.need for each in SETTINGS))
    ]
    return _PAGE.format(groups="".join(groups).rstrip())


def _row(setting: Setting) -> str:
    notes = ["required"] * setting.required + ["secret"] * setting.is_secret
    told = f"{setting.meaning} ({', '.join(notes)})" if notes else setting.meaning
    default = f"`{setting.default}`" if setting.default is not None else "–"
    return f"| `{setting.name}` | {default} | {told} | `{setting.example}` |"
