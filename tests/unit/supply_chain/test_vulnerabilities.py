"""What pip-audit says, and that its silence is never taken for good news."""

from pathlib import Path

import pytest

from supply_chain.results import CheckFailed, CheckResult
from supply_chain.vulnerabilities import known_vulnerabilities, parse_report

SOUND = {"name": "attrs", "version": "26.1.0", "vulns": []}
FLAWED = {
    "name": "flask",
    "version": "0.1",
    "vulns": [
        {"id": "PYSEC-1", "fix_versions": ["0.2", "1.0"], "aliases": [], "description": "…"},
        {"id": "GHSA-2", "fix_versions": [], "aliases": [], "description": "…"},
    ],
}
SKIPPED = {"name": "click", "skip_reason": "Dependency not found on PyPI and could not be audited: click (8.5.1)"}


def test_nothing_known_is_good() -> None:
    assert parse_report({"dependencies": [SOUND], "fixes": []}) == CheckResult(checked="1 packages", problems=[])


def test_each_flaw_is_a_line() -> None:
    assert parse_report({"dependencies": [SOUND, FLAWED]}).problems == [
        "flask 0.1: PYSEC-1, fixed in 0.2, 1.0",
        "flask 0.1: GHSA-2, fixed in none",
    ]


@pytest.mark.parametrize("packages", [[SOUND, SKIPPED], [SKIPPED], []])
def test_a_package_that_nobody_knows_of_is_no_good_news(packages: list[object]) -> None:
    with pytest.raises(CheckFailed, match=f"of {len(packages)} packages"):
        parse_report({"dependencies": packages})


def program(directory: Path, script: str) -> Path:
    path = directory / "pip-audit"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


def test_the_second_service_is_asked_when_the_first_is_away(tmp_path: Path) -> None:
    good = '{"dependencies": [{"name": "attrs", "version": "26.1.0", "vulns": []}]}'
    one_away = program(tmp_path, f"case \"$*\" in *osv*) echo '{good}';; *) echo 'no route' >&2; exit 1;; esac")

    assert known_vulnerabilities(tmp_path / "lock", one_away).problems == []


def test_both_services_away_is_said(tmp_path: Path) -> None:
    away = program(tmp_path, "echo 'Traceback' >&2; echo 'no route' >&2; exit 1")

    with pytest.raises(CheckFailed, match=r"pypi: it cannot be reached: no route; osv: it cannot be reached: no route"):
        known_vulnerabilities(tmp_path / "lock", away)


def test_a_missing_tool_is_said(tmp_path: Path) -> None:
    with pytest.raises(CheckFailed, match="No such file"):
        known_vulnerabilities(tmp_path / "lock", tmp_path / "pip-audit")
