"""Packages without a recent release, as the package index dates releases."""

import re
from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Final

from attrs import frozen

from supply_chain.lock_files import canonical, name_of, run_uv
from supply_chain.results import CheckFailed

_CONCURRENT_QUERIES: Final = 4  # gentle to the index
_COMPILE: Final = (
    *("pip", "compile", "--no-deps", "--no-header", "--no-annotate", "--universal"),
    *("--python-version", "3.11"),
)


def exceptions_in(decision: str) -> frozenset[str]:
    """The packages that the decision names, in Markdown as `code`."""
    return frozenset(canonical(name) for name in re.findall(r"`([A-Za-z0-9._-]+)`", decision))


@frozen(kw_only=True)
class Index:
    """The package index that uv is configured for, now and at the time `before`."""

    before: datetime

    def newest(self, names: Collection[str]) -> dict[str, str]:
        """The newest release of each for the oldest supported Python, as `name==version`. Raises CheckFailed."""
        done = run_uv(*_COMPILE, "-", text="\n".join(sorted(names)))
        if done.returncode != 0:
            raise CheckFailed(f"the package index did not answer with the newest releases: {_last_line(done.stderr)}")
        found = [line.partition(" ")[0] for line in done.stdout.splitlines() if line.strip()]
        return {name_of(release): release for release in found}

    def had(self, release: str) -> bool:
        """Whether that release existed at `before`. Raises CheckFailed if the index has no dates."""
        done = run_uv(*_COMPILE, "--exclude-newer", self.before.isoformat(), "-", text=release)
        if done.returncode == 0:
            return True
        # Only this reason means that the release is newer.
        if "published at" not in done.stderr:
            raise CheckFailed(f"the package index has no date for {release}: {_last_line(done.stderr)}")
        return False


def old_releases(names: Collection[str], index: Index) -> frozenset[str]:
    """The packages whose newest release existed at `index.before`. Raises CheckFailed."""
    newest = index.newest(names)
    if missing := {canonical(name) for name in names} - newest.keys():
        raise CheckFailed(f"the package index has no release of {', '.join(sorted(missing))}")
    with ThreadPoolExecutor(_CONCURRENT_QUERIES) as pool:
        existed = pool.map(index.had, newest.values())
    return frozenset(name for name, old in zip(newest, existed, strict=True) if old)


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else "no output"
