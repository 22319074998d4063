"""Which packages have not been released for too long: an index without maintainers' hands on it is found out here."""

import re
from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Final

from attrs import frozen

from supply_chain.finding import CannotLook
from supply_chain.locked import asked_uv, canonical, name_of

_AT_ONCE: Final = 4
_QUIET: Final = (
    "pip",
    "compile",
    "--no-deps",
    "--no-header",
    "--no-annotate",
    "--universal",
    "--python-version",
    "3.11",
)


def exceptions_in(decision: str) -> frozenset[str]:
    """The packages that the decision names, which it does as `code`."""
    return frozenset(canonical(name) for name in re.findall(r"`([A-Za-z0-9._-]+)`", decision))


@frozen(kw_only=True)
class Index:
    """The package index that uv is configured for, now and as it was at `before`."""

    before: datetime

    def newest(self, names: Collection[str]) -> dict[str, str]:
        """The newest release of each that our oldest Python can use, as `name==version`. Raises CannotLook."""
        done = asked_uv(*_QUIET, "-", text="\n".join(sorted(names)))
        if done.returncode != 0:
            raise CannotLook(f"the package index did not tell the newest releases: {_last_line(done.stderr)}")
        found = [line.partition(" ")[0] for line in done.stdout.splitlines() if line.strip()]
        return {name_of(release): release for release in found}

    def had(self, release: str) -> bool:
        """Whether that release was there at `before`. Raises CannotLook where the index does not tell when."""
        done = asked_uv(*_QUIET, "--exclude-newer", self.before.isoformat(), "-", text=release)
        if done.returncode == 0:
            return True
        # No other reason counts as "it is newer".
        if "published at" not in done.stderr:
            raise CannotLook(f"the package index does not tell when {release} was released: {_last_line(done.stderr)}")
        return False


def old_releases(names: Collection[str], index: Index) -> frozenset[str]:
    """Those whose newest release was there at `index.before` already. Raises CannotLook."""
    newest = index.newest(names)
    if missing := {canonical(name) for name in names} - newest.keys():
        raise CannotLook(f"the package index did not tell the newest releases of {', '.join(sorted(missing))}")
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        were_there = pool.map(index.had, newest.values())
    return frozenset(name for name, was_there in zip(newest, were_there, strict=True) if was_there)


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else "it said nothing"
