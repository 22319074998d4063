"""`python -m supply_chain --tools DIRECTORY`: each check says in a line how it went, and what was found below it.

Ends with 1 if a check found something, or could not look: what was not looked at is never taken for good.
"""

import argparse
import sys
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from supply_chain.bill import write_bill
from supply_chain.finding import CannotLook, Finding
from supply_chain.licences import licences_not_allowed
from supply_chain.locked import direct_names, install_runtime, locked_names, runtime_lock
from supply_chain.releases import Index, exceptions_in, old_releases
from supply_chain.vulnerabilities import known_vulnerabilities

ROOT: Final = Path(__file__).parents[1]
LOCK: Final = ROOT / "requirements.lock"
PROJECT: Final = ROOT / "pyproject.toml"
EXCEPTIONS: Final = ROOT / "docs" / "adr" / "0013-old-dependencies.md"
BILL: Final = ROOT / "dist" / "sbom.cdx.json"
A_YEAR: Final = timedelta(days=365)


def main() -> int:
    parser = argparse.ArgumentParser(prog="supply_chain", description=__doc__)
    parser.add_argument("--tools", type=Path, required=True, help="where pip-audit and cyclonedx-py are")
    tools: Path = parser.parse_args().tools.absolute()
    checks: dict[str, Callable[[], Finding]] = {
        "licences": lambda: _licences(tools),
        "releases": _releases,
        "vulnerabilities": lambda: known_vulnerabilities(LOCK, tools / "pip-audit"),
    }
    return max([_said(name, check) for name, check in checks.items()])


def _licences(tools: Path) -> Finding:
    with tempfile.TemporaryDirectory(prefix="booking-audit-") as directory:
        lock = runtime_lock(LOCK, PROJECT, Path(directory))
        python = install_runtime(lock, Path(directory))
        BILL.parent.mkdir(exist_ok=True)
        bill = write_bill(python, PROJECT, BILL, tools / "cyclonedx-py")
    found = licences_not_allowed(bill)
    return Finding(
        looked_at=f"{len(bill['components'])} packages of the runtime, listed in {BILL.relative_to(ROOT)}", bad=found
    )


def _releases() -> Finding:
    direct, everything = direct_names(PROJECT), locked_names(LOCK)
    excused = exceptions_in(EXCEPTIONS.read_text(encoding="utf-8")) & direct
    old = old_releases(direct | everything, Index(before=datetime.now(UTC) - A_YEAR))
    bad = [f"{name}: no release for a year, and {EXCEPTIONS.name} does not name it" for name in old & direct - excused]
    notes = []
    if excused:
        notes.append(f"excused by {EXCEPTIONS.name}: {', '.join(sorted(excused))}")
    if alive := excused - old:
        notes.append(f"released again, so that the exception can go: {', '.join(sorted(alive))}")
    if theirs := old - direct:
        notes.append(f"as old, but chosen by our dependencies: {', '.join(sorted(theirs))}")
    return Finding(looked_at=f"{len(direct)} dependencies of ours", bad=sorted(bad), notes=notes)


def _said(name: str, check: Callable[[], Finding]) -> int:
    try:
        finding = check()
    except CannotLook as trouble:
        sys.stdout.write(f"FAILED {name}: could not look: {trouble}\n")
        return 1
    sys.stdout.write(f"{'FAILED' if finding.bad else 'ok'} {name}: {finding.looked_at}\n")
    sys.stdout.writelines(f"    {line}\n" for line in [*finding.bad, *finding.notes])
    return 1 if finding.bad else 0


if __name__ == "__main__":
    sys.exit(main())
