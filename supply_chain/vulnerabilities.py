"""Known vulnerabilities of the packages in the lock file, from the services of pip-audit."""

import json
import subprocess
from pathlib import Path
from typing import Any, Final

from supply_chain.results import CheckFailed, CheckResult

# The second one is used if the first cannot be reached, or does not know every package.
SERVICES: Final = ("pypi", "osv")


def known_vulnerabilities(lock: Path, program: Path) -> CheckResult:
    """A line for each vulnerability. Raises CheckFailed unless one service knows every package."""
    failures = []
    for service in SERVICES:
        try:
            return parse_report(_run_audit(service, lock, program))
        except CheckFailed as failure:
            failures.append(f"{service}: {failure}")
    raise CheckFailed("; ".join(failures))


def parse_report(report: Any) -> CheckResult:
    """The result in pip-audit's JSON. Raises CheckFailed for a skipped package, for which pip-audit exits with 0."""
    packages = report["dependencies"]
    skipped = [package["name"] for package in packages if "skip_reason" in package]
    if skipped or not packages:
        raise CheckFailed(
            f"it knows nothing about {len(skipped)} of {len(packages)} packages ({', '.join(skipped[:3])} …)"
        )
    problems = [
        f"{package['name']} {package['version']}: {flaw['id']}, fixed in {', '.join(flaw['fix_versions']) or 'none'}"
        for package in packages
        for flaw in package["vulns"]
    ]
    return CheckResult(checked=f"{len(packages)} packages", problems=problems)


def _run_audit(service: str, lock: Path, program: Path) -> Any:
    command: list[str | Path] = [program, "--vulnerability-service", service, "--requirement", lock]
    command += ["--require-hashes", "--disable-pip", "--format", "json", "--progress-spinner", "off"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError as error:
        raise CheckFailed(f"{program} cannot be started: {error.strerror}") from error
    try:
        return json.loads(done.stdout)
    except ValueError:
        lines = done.stderr.strip().splitlines() or [f"it ended with {done.returncode}"]
        raise CheckFailed(f"it cannot be reached: {lines[-1][:100]}") from None
