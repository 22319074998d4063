"""Which dependencies count as old, and whom the decision excuses."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from supply_chain.lock_files import direct_names, locked_names, name_of
from supply_chain.releases import Index, exceptions_in, old_releases
from supply_chain.results import CheckFailed

ROOT = Path(__file__).parents[3]


class Known(Index):
    """An index whose releases are known: when each newest one came."""

    days = {"old-one": datetime(2024, 5, 1, tzinfo=UTC), "new-one": datetime(2026, 5, 1, tzinfo=UTC)}  # noqa: RUF012

    def newest(self, names: object) -> dict[str, str]:
        return {name: f"{name}==1.0" for name in self.days}

    def had(self, release: str) -> bool:
        return self.days[name_of(release)] <= self.before


INDEX = Known(before=datetime(2025, 11, 1, tzinfo=UTC))


def test_old_is_what_had_its_newest_release_before() -> None:
    assert old_releases({"Old_One", "new.one"}, INDEX) == {"old-one"}


def test_a_package_that_the_index_does_not_know_is_no_young_one() -> None:
    with pytest.raises(CheckFailed, match="unheard-of"):
        old_releases({"old-one", "unheard-of"}, INDEX)


def test_a_decision_excuses_what_it_names_as_code() -> None:
    text = "**Decided.** `segno` and `Flask_Thing` stay; pytest does not. See `booking_api/codes.py`."

    assert exceptions_in(text) == {"segno", "flask-thing"}


def test_names_are_compared_as_indexes_do() -> None:
    assert [name_of(text) for text in ("PyJWT[crypto]>=2", "zope.interface==1", "a_b~=1 ; python_version > '3'")] == [
        "pyjwt",
        "zope-interface",
        "a-b",
    ]


def test_everything_asked_for_is_in_a_lock_file() -> None:
    locks = (ROOT / "requirements.lock", ROOT / "supply_chain" / "tools.lock")
    locked = frozenset().union(*map(locked_names, locks))

    assert direct_names(ROOT / "pyproject.toml") <= locked
