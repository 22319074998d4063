"""`python -m supply_chain --tools DIRECTORY`: one line for each check, with its problems and notes below.

Exits with 1 if a check found a problem or could not run.
"""

import argparse
import sys
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from supply_chain.licences import licences_not_allowed, write_bill
from supply_chain.lock_files import direct_names, install_runtime, locked_names, runtime_lock
from supply_chain.releases import Index, exceptions_in, old_releases
from supply_chain.results import CheckFailed, CheckResult
from supply_chain.vulnerabilities import known_vulnerabilities

ROOT: Final = Path(__file__).parents[1]
LOCK: Final = ROOT / "requirements.lock"
PROJECT: Final = ROOT / "pyproject.toml"
EXCEPTIONS: Final = ROOT / "docs" / "adr" / "0013-old-dependencies.md"
BILL: Final = ROOT / "dist" / "sbom.cdx.json"
ONE_YEAR: Final = timedelta(days=365)


def main() -> int:
    parser = argparse.ArgumentParser(prog="supply_chain", description=__doc__)
    parser.add_argument("--tools", type=Path, required=True, help="where pip-audit and cyclonedx-py are")
    tools: Path = parser.parse_args().tools.absolute()
    checks: dict[str, Callable[[], CheckResult]] = {
        "licences": lambda: _licences(tools),
        "releases": _releases,
        "vulnerabilities": lambda: known_vulnerabilities(LOCK, tools / "pip-audit"),
    }
    return max([_report(name, check) for name, check in checks.items()])


def _licences(tools: Path) -> CheckResult:
    with tempfile.TemporaryDirectory(prefix="booking-audit-") as directory:
        lock = runtime_lock(LOCK, PROJECT, Path(directory))
        python = install_runtime(lock, Path(directory))
        BILL.parent.mkdir(exist_ok=True)
        bill = write_bill(python, PROJECT, BILL, tools / "cyclonedx-py")
    checked = f"{len(bill['components'])} packages of the runtime, listed in {BILL.relative_to(ROOT)}"
    return CheckResult(checked=checked, problems=licences_not_allowed(bill))


def _releases() -> CheckResult:
    direct, everything = direct_names(PROJECT), locked_names(LOCK)
    excused = exceptions_in(EXCEPTIONS.read_text(encoding="utf-8")) & direct
    old = old_releases(direct | everything, Index(before=datetime.now(UTC) - ONE_YEAR))
    problems = [
        f"{name}: no release for a year, and {EXCEPTIONS.name} does not name it" for name in old & direct - excused
    ]
    notes = []
    if excused:
        notes.append(f"excused by {EXCEPTIONS.name}: {', '.join(sorted(excused))}")
    if alive := excused - old:
        notes.append(f"released again, so that the exception can go: {', '.join(sorted(alive))}")
    if theirs := old - direct:
        notes.append(f"as old, but required only by dependencies: {', '.join(sorted(theirs))}")
    return CheckResult(checked=f"{len(direct)} direct dependencies", problems=sorted(problems), notes=notes)


def _report(name: str, check: Callable[[], CheckResult]) -> int:
    try:
        result = check()
    except CheckFailed as failure:
        sys.stdout.write(f"FAILED {name}: could not check: {failure}\n")
        return 1
    sys.stdout.write(f"{'FAILED' if result.problems else 'ok'} {name}: {result.checked}\n")
    sys.stdout.writelines(f"    {line}\n" for line in [*result.problems, *result.notes])
    return 1 if result.problems else 0


if __name__ == "__main__":
    sys.exit(main())
