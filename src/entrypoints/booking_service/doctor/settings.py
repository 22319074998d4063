"""What the doctor makes of the environment: all that is wrong with it, where a command stops at the first."""

import re
from collections.abc import Collection, Iterator, Mapping
from difflib import get_close_matches
from typing import Final

from attrs import field, frozen

from booking_core.ports import Finding, Grade
from booking_service.settings import PREFIX, SETTINGS, Need, Setting, Settings, SettingsError, hidden
from booking_telemetry.masking import masked_url, passwords_in

CHECK: Final = "settings"
_ALIKE: Final = 0.8
_EXAMPLE: Final = " (for example "
# Shorter texts are no secret, and masking them would garble everything else.
_SHORTEST_SECRET: Final = 4
# As the database's client reads it: also one that should have been percent-encoded.
_PASSWORD: Final = re.compile("//[^:/@]*:(.+)@")


@frozen
class Environment:
    """The variables that the doctor looks at, and which of the settings that `needs` have it cannot trust."""

    variables: Mapping[str, str] = field(repr=False)
    needs: Collection[Need]

    def settings(self, need: Need) -> Settings:
        """The settings of one need, whatever is said about logs. Raises SettingsError."""
        of_logs = {setting.name for setting in SETTINGS if setting.need is Need.LOGS}
        variables = {name: value for name, value in self.variables.items() if name not in of_logs}
        return Settings.from_environ(variables, needs=[need], command="doctor")

    def faults(self, need: Need) -> list[str]:
        """All that is wrong with the settings of a need; empty if nothing is."""
        found: list[str] = []
        for setting in SETTINGS:
            if setting.need is need:
                try:
                    setting.value(self.variables.get(setting.name) or setting.default)
                except SettingsError as error:
                    found.append(str(error))
        if not found:
            try:
                self.settings(need)
            except SettingsError as error:  # what one setting asks of another
                found.append(str(error))
        return found

    def findings(self) -> Iterator[Finding]:
        """One line for each fault and each name that looks mistyped; one that all is well if there is no fault."""
        faults = [fault for need in self.needs for fault in self.faults(need)]
        for fault in faults:
            told, _, example = fault.removesuffix(")").partition(_EXAMPLE)
            advice = f"set it, for example to {example}" if example else "correct it"
            yield Finding(check=CHECK, grade=Grade.TROUBLE, found=told, advice=advice)
        yield from self._mistyped()
        if not faults:
            wanted = [setting for setting in SETTINGS if setting.need in self.needs]
            given = sum(bool(self.variables.get(setting.name)) for setting in wanted)
            found = f"nothing is missing or malformed: {given} set, {len(wanted) - given} left as they are"
            yield Finding(check=CHECK, grade=Grade.OK, found=found)

    def without_secrets(self, text: str) -> str:
        """The text, in which nothing of the environment that nobody may see can be read."""
        secrets = {secret for setting in SETTINGS for secret in _secrets_in(setting, self.variables.get(setting.name))}
        for secret in sorted(secrets, key=len, reverse=True):
            text = text.replace(secret, "***")
        return masked_url(text) if "://" in text else text

    def _mistyped(self) -> Iterator[Finding]:
        known = [setting.name for setting in SETTINGS]
        for name in sorted(self.variables):
            # Adapters of others have settings of their own.
            if name.startswith(PREFIX) and name not in known and (meant := get_close_matches(name, known, 1, _ALIKE)):
                found = f"{name} is no setting of ours"
                yield Finding(check=CHECK, grade=Grade.WARNING, found=found, advice=f"is {meant[0]} meant?")


def _secrets_in(setting: Setting, value: str | None) -> Iterator[str]:
    """What nobody may see of a value. One that is the user's or the database's name as well says nothing to anybody."""
    if not value or not setting.is_secret:
        return
    if setting.conceal is hidden or "://" not in value:
        yield value
        return
    found = {*passwords_in(value), *_PASSWORD.findall(value)}
    public = value
    for secret in found:
        public = public.replace(f":{secret}@", "@").replace(f"password={secret}", "")
    yield from (secret for secret in found if len(secret) >= _SHORTEST_SECRET and secret not in public)
