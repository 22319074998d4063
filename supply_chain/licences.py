"""The bill of materials (SBOM, in the format of CycloneDX), and the licences that its packages may have."""

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from supply_chain.results import CheckFailed

_CLASSIFIER: Final = "License :: OSI Approved :: "

ALLOWED: Final = frozenset(
    {
        "0BSD",
        "Apache-2.0",
        "BSD-2-Clause",
        "BSD-3-Clause",
        "ISC",
        "MIT",
        "MIT-0",
        "PSF-2.0",
        "Unlicense",
        f"{_CLASSIFIER}Apache Software License",
        f"{_CLASSIFIER}BSD License",
        f"{_CLASSIFIER}MIT License",
        # Used unchanged, as libraries that can be replaced: that places no condition on these sources.
        "LGPL-2.1-or-later",
        "LGPL-3.0-only",
        "LGPL-3.0-or-later",
        f"{_CLASSIFIER}GNU Lesser General Public License v2 or later (LGPLv2+)",
        f"{_CLASSIFIER}GNU Lesser General Public License v3 (LGPLv3)",
    }
)
"""SPDX identifiers, and the classifiers that older packages have in place of them."""


def write_bill(python: Path, project: Path, output: Path, program: Path) -> Any:
    """Write the bill for the environment of that Python, validated against CycloneDX's schema, and return it.

    The same environment gives the same file, so that two bills can be compared. Raises CheckFailed.
    """
    command: list[str | Path] = [program, "environment", "--pyproject", project, "--mc-type", "application"]
    command += ["--validate", "--output-reproducible", "--output-format", "JSON", "--output-file", output, python]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError as error:
        raise CheckFailed(f"{program} cannot be started: {error.strerror}") from error
    if done.returncode != 0:
        raise CheckFailed(f"{program.name}: {(done.stderr.strip() or 'no reason given').splitlines()[-1]}")
    return json.loads(output.read_text(encoding="utf-8"))


def licences_not_allowed(bill: Any) -> list[str]:
    """A line for each package of the bill that has no licence, or one that is not allowed, sorted by name."""
    found = []
    for component in sorted(bill["components"], key=lambda each: str(each["name"]).lower()):
        expressions = list(_expressions(component))
        if not expressions:
            found.append(f"{component['name']} {component['version']}: names no licence")
        elif not all(is_allowed(expression) for expression in expressions):
            found.append(f"{component['name']} {component['version']}: {'; '.join(expressions)}")
    return found


def is_allowed(expression: str) -> bool:
    """Whether a name, or an SPDX expression, offers an allowed licence; False for an expression with brackets."""
    return any(
        all(part in ALLOWED for part in re.split(r"\s+AND\s+", choice)) for choice in re.split(r"\s+OR\s+", expression)
    )


def _expressions(component: Any) -> Iterator[str]:
    for entry in component.get("licenses", []):
        yield entry["expression"] if "expression" in entry else entry["license"].get("id") or entry["license"]["name"]
