"""The page of the settings, from the fields of `booking_service.settings.Settings`."""

from typing import Final

from booking_service.setting_fields import Need, Setting
from booking_service.settings import SETTINGS

_PAGE: Final = """\
<!-- Made by `python docs/generate.py` from booking_service.settings; changes belong there. -->

# Settings

All settings come from the environment. A command reads only those that it uses; a missing or malformed one stops it
at once (exit code 2) with a line that names it. An empty value counts as not set. No secret is ever logged or shown.

`booking doctor` names missing settings, and checks the components that the others configure.
{groups}
"""
_GROUP: Final = """
## {title}

{readers}

| setting | default | meaning | for example |
|---|---|---|---|
{rows}
"""
# Title, and the commands that read them.
_NEEDS: Final = {
    Need.DATABASE: ("Database", "For every command but `token` and `completion`; `dev` has its own database."),
    Need.EVENT_BUS: (
        "Event bus",
        "For `worker`, `relay`, `consume` and `replay`; for `stats` and `doctor` if a bus is configured.",
    ),
    Need.HEALTH: ("Health of the worker", "For `worker`."),
    Need.CATALOG: ("Catalog Service", "For `serve`, `catalog sync` and `cancel-event`."),
    Need.TOKENS: ("Tokens", "For `serve`. [How to connect Auth0](../how-to/connect-auth0.md)."),
    Need.TERMS: (
        "Terms",
        "For `serve`, `worker`, `consume` and `replay dead-letters`: the same in all of them.",
    ),
    Need.RETENTION: (
        "Retention",
        "For `worker`, which deletes older rows, and for `serve`, which stores responses under their keys.",
    ),
    Need.HTTP: ("Browsers", "For `serve`."),
    Need.LOGS: ("Logs", "For every command."),
}


def settings_page() -> str:
    """Every setting, in the order of the table."""
    groups = [
        _GROUP.format(
            title=title,
            readers=readers,
            rows="\n".join(_row(setting) for setting in SETTINGS if setting.need is need),
        )
        for need, (title, readers) in ((need, _NEEDS[need]) for need in dict.fromkeys(each.need for each in SETTINGS))
    ]
    return _PAGE.format(groups="".join(groups).rstrip())


def _row(setting: Setting) -> str:
    notes = ["required"] * setting.required + ["secret"] * setting.is_secret
    meaning = f"{setting.meaning} ({', '.join(notes)})" if notes else setting.meaning
    default = f"`{setting.default}`" if setting.default is not None else "–"
    return f"| `{setting.name}` | {default} | {meaning} | `{setting.example}` |"
