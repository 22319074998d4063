"""The bill of materials (SBOM): what is installed in production, in the form of CycloneDX."""

import json
import subprocess
from pathlib import Path
from typing import Any

from supply_chain.finding import CannotLook


def write_bill(python: Path, project: Path, output: Path, program: Path) -> Any:
    """Write it for the environment of that Python, checked against CycloneDX's schema; what was written.

    The same environment gives the same file, so that two of them can be compared. Raises CannotLook.
    """
    command: list[str | Path] = [
        program,
        "environment",
        "--pyproject",
        project,
        "--mc-type",
        "application",
        "--validate",
    ]
    command += ["--output-reproducible", "--output-format", "JSON", "--output-file", output, python]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError as error:
        raise CannotLook(f"{program} cannot be started: {error.strerror}") from error
    if done.returncode != 0:
        raise CannotLook(f"{program.name}: {(done.stderr.strip() or 'no reason given').splitlines()[-1]}")
    return json.loads(output.read_text(encoding="utf-8"))
