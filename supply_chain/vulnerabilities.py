"""Known vulnerabilities of everything in the lock file, as pip-audit's services tell them."""

import json
import subprocess
from pathlib import Path
from typing import Any, Final

from supply_chain.finding import CannotLook, Finding

# The second is asked when the first can't be reached, or does not know every package.
SERVICES: Final = ("pypi", "osv")


def known_vulnerabilities(lock: Path, program: Path) -> Finding:
    """A line for each. Raises CannotLook unless one service has told about every package."""
    troubles = []
    for service in SERVICES:
        try:
            return finding_of(_asked(service, lock, program))
        except CannotLook as trouble:
            troubles.append(f"{service}: {trouble}")
    raise CannotLook("; ".join(troubles))


def finding_of(answer: Any) -> Finding:
    """What pip-audit's JSON says. Raises CannotLook if it has skipped a package: it ends with 0 all the same."""
    packages = answer["dependencies"]
    skipped = [package["name"] for package in packages if "skip_reason" in package]
    if skipped or not packages:
        raise CannotLook(f"it told nothing of {len(skipped)} of {len(packages)} packages ({', '.join(skipped[:3])} …)")
    bad = [
        f"{package['name']} {package['version']}: {flaw['id']}, mended in {', '.join(flaw['fix_versions']) or 'none'}"
        for package in packages
        for flaw in package["vulns"]
    ]
    return Finding(looked_at=f"{len(packages)} packages", bad=bad)


def _asked(service: str, lock: Path, program: Path) -> Any:
    command: list[str | Path] = [
        program,
        "--vulnerability-service",
        service,
        "--requirement",
        lock,
        "--require-hashes",
        "--disable-pip",
    ]
    command += ["--format", "json", "--progress-spinner", "off"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError as error:
        raise CannotLook(f"{program} cannot be started: {error.strerror}") from error
    try:
        return json.loads(done.stdout)
    except ValueError:
        complaint = done.stderr.strip().splitlines() or [f"it ended with {done.returncode}"]
        raise CannotLook(f"it cannot be reached: {complaint[-1][:100]}") from None
