"""The doctor's check of the environment: every fault of the settings, not only the first one."""

import re
from collections.abc import Collection, Iterator, Mapping
from difflib import get_close_matches
from typing import Final

from attrs import field, frozen

from booking_core.ports import Finding, Grade
from booking_service.setting_fields import PREFIX, Need, Setting, SettingsError, hidden
from booking_service.settings import SETTINGS, Settings
from booking_telemetry.masking import masked_url, passwords_in

CHECK: Final = "settings"
DEV_URL: Final = "BOOKING_DEV_URL"
"""Written by `booking dev` into the file of its settings, with its address. It is no setting."""
_SIMILARITY: Final = 0.8  # of difflib's ratio: one or two letters of a name are wrong
_EXAMPLE: Final = " (for example "
# A shorter text is not treated as a secret: masking it would make other text unreadable.
_SHORTEST_SECRET: Final = 4
# Up to the last @, as libpq reads it: also a password that should have been percent-encoded.
_PASSWORD: Final = re.compile("//[^:/@]*:(.+)@")


@frozen
class Environment:
    """Environment variables, and the needs whose settings the doctor checks."""

    variables: Mapping[str, str] = field(repr=False)
    needs: Collection[Need]

    def settings(self, *needs: Need) -> Settings:
        """Read the settings of these needs; those of logs are ignored. Raises SettingsError.

        Those of other needs are read as well unless one is wrong: an outside adapter may use them, as in a service.
        """
        others = [other for other in Need if other not in needs and not self.faults(other)]
        return self._settings([*needs, *others])

    def faults(self, need: Need) -> list[str]:
        """Everything that is wrong with the settings of a need."""
        faults: list[str] = []
        for setting in SETTINGS:
            if setting.need is need:
                try:
                    setting.value(self.variables.get(setting.name) or setting.default)
                except SettingsError as error:
                    faults.append(str(error))
        if not faults:
            try:
                self._settings([need])
            except SettingsError as error:  # one setting requires another
                faults.append(str(error))
        return faults

    def _settings(self, needs: Collection[Need]) -> Settings:
        of_logs = {setting.name for setting in SETTINGS if setting.need is Need.LOGS}
        variables = {name: value for name, value in self.variables.items() if name not in of_logs}
        return Settings.from_environ(variables, needs=needs, command="doctor")

    def findings(self) -> Iterator[Finding]:
        """Yield a finding for each fault and each name that is probably mistyped; a single OK if there is no fault."""
        faults = [fault for need in self.needs for fault in self.faults(need)]
        for fault in faults:
            problem, _, example = fault.removesuffix(")").partition(_EXAMPLE)
            advice = f"set it, for example to {example}" if example else "correct it"
            yield Finding(check=CHECK, grade=Grade.TROUBLE, found=problem, advice=advice)
        yield from self._mistyped()
        if not faults:
            wanted = [setting for setting in SETTINGS if setting.need in self.needs]
            given = sum(bool(self.variables.get(setting.name)) for setting in wanted)
            found = f"nothing is missing or malformed: {given} set, {len(wanted) - given} left as they are"
            yield Finding(check=CHECK, grade=Grade.OK, found=found)

    def without_secrets(self, text: str) -> str:
        """Replace every secret of the environment in the text by `***`."""
        secrets = {secret for setting in SETTINGS for secret in _secrets_in(setting, self.variables.get(setting.name))}
        for secret in sorted(secrets, key=len, reverse=True):
            text = text.replace(secret, "***")
        return masked_url(text) if "://" in text else text

    def _mistyped(self) -> Iterator[Finding]:
        known = [*(setting.name for setting in SETTINGS), DEV_URL]
        for name in sorted(self.variables):
            # An unknown name that resembles none of ours may be a setting of a foreign adapter.
            if (
                name.startswith(PREFIX)
                and name not in known
                and (meant := get_close_matches(name, known, 1, _SIMILARITY))
            ):
                found = f"{name} is no setting of ours"
                yield Finding(check=CHECK, grade=Grade.WARNING, found=found, advice=f"is {meant[0]} meant?")


def _secrets_in(setting: Setting, value: str | None) -> Iterator[str]:
    """Secrets in a value. A password that is also the name of the user or the database is not masked."""
    if not value or not setting.is_secret:
        return
    if setting.conceal is hidden:
        yield value
        return
    secrets = {*passwords_in(value), *_PASSWORD.findall(value)}
    public = masked_url(value)
    for secret in secrets:
        public = public.replace(f":{secret}@", "@")
    yield from (secret for secret in secrets if len(secret) >= _SHORTEST_SECRET and secret not in public)
