"""What one setting is: its name, what reads it, which commands need it, and the field of Settings that carries it."""

from collections.abc import Callable
from enum import Enum
from functools import partial
from typing import Any, Final

from attrs import field, frozen

PREFIX: Final = "BOOKING_"
METADATA: Final = "setting"
"""Under which the metadata of a field has its Setting, once it is given the name of the field."""

# An error quotes at most this many characters of a malformed value, so that it stays one line on a screen.
_QUOTED_CHARACTERS: Final = 60


class SettingsError(Exception):
    """A setting is missing or malformed. The text is one line with its name, the problem and an example; no secret."""


class Need(Enum):
    """What a command uses. A command reads the settings of its needs and ignores all others."""

    DATABASE = "database"
    EVENT_BUS = "event bus"
    CATALOG = "catalog"
    TOKENS = "tokens"
    TERMS = "terms"
    RETENTION = "retention"
    HTTP = "http"
    HEALTH = "health"
    LOGS = "logs"


@frozen(kw_only=True)
class Setting:
    """Description of one setting: the metadata of a field of Settings.

    `default` is text as in the environment. A command with this need fails without a `required` setting. A setting
    with `conceal` holds a secret; `conceal` returns the part of the value that may be shown.
    """

    name: str
    need: Need
    read: Callable[[str], Any]
    meaning: str
    example: str
    default: str | None = None
    required: bool = False
    conceal: Callable[[str], str] | None = None

    @property
    def attribute(self) -> str:
        """Name of the field in Settings."""
        return self.name.removeprefix(PREFIX).lower()

    @property
    def is_secret(self) -> bool:
        """Whether logs and screens must not show the value."""
        return self.conceal is not None

    def value(self, written: str | None) -> Any:
        """Read the text of the environment; None if the variable is not set. Raises SettingsError."""
        if written is None:
            if self.required:
                raise self.missing()
            return None
        try:
            return self.read(written)
        except ValueError as problem:
            shown = "" if self.is_secret else f", not {written[:_QUOTED_CHARACTERS]!r}"
            raise SettingsError(f"{self.name} {problem}{shown} (for example {self.example})") from None

    def missing(self, where: str = "") -> SettingsError:
        """Error for this setting when it is not set."""
        problem = f"is not set, and must be{where}: {self.meaning}"
        return SettingsError(f"{self.name} {problem} (for example {self.example})")


def hidden(_: str) -> str:
    """Conceal the whole value."""
    return "***"


def setting(need: Need, reader: Callable[[str], Any], meaning: str, example: str = "", **options: Any) -> Any:
    """Field of Settings. Its metadata makes the Setting once the name of the field is known; `options` as there.

    Without `example` the default is the example.
    """
    default, conceal = options.get("default"), options.get("conceal")
    options |= {"need": need, "read": reader, "meaning": meaning, "example": example or default}
    return field(
        default=None if default is None else reader(default),
        repr=(lambda value: repr(value and conceal(value))) if conceal else True,
        metadata={METADATA: partial(Setting, **options)},
    )
