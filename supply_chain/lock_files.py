"""The lock files, and the packages of the project in them. The package index is the one that uv is configured for."""

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Final

from supply_chain.results import CheckFailed

_NAME: Final = re.compile(r"[A-Za-z0-9]+(?:[._-]+[A-Za-z0-9]+)*")


def canonical(name: str) -> str:
    """The name of a package in the form that package indexes compare."""
    return re.sub(r"[._-]+", "-", name).lower()


def name_of(requirement: str) -> str:
    """The canonical name of the package of a requirement."""
    found = _NAME.match(requirement)
    if found is None:
        raise ValueError(f"not a requirement: {requirement!r}")
    return canonical(found[0])


def locked_names(lock: Path) -> frozenset[str]:
    """Every package of the lock file."""
    lines = lock.read_text(encoding="utf-8").splitlines()
    return frozenset(name_of(line) for line in lines if line[:1].isalnum())


def direct_names(project: Path) -> frozenset[str]:
    """Every package in pyproject.toml: dependencies, extras, development and build, without the project itself."""
    table = tomllib.loads(project.read_text(encoding="utf-8"))
    itself = canonical(table["project"]["name"])  # an extra may include other extras
    groups = [
        table["project"].get("dependencies", []),
        *table["project"].get("optional-dependencies", {}).values(),
        *table.get("dependency-groups", {}).values(),
        table["build-system"]["requires"],
    ]
    # An entry of a group may be a table that includes another group.
    return frozenset(name_of(each) for group in groups for each in group if isinstance(each, str)) - {itself}


def runtime_lock(lock: Path, project: Path, into: Path) -> Path:
    """The pins of the dependencies and of all extras, without the development group; hashes stay as they are."""
    pruned = into / "runtime.lock"
    shutil.copyfile(lock, pruned)
    uv(
        *("pip", "compile", "--universal", "--python-version", "3.11", "--generate-hashes", "--no-emit-index-url"),
        *("--all-extras", "--output-file", pruned, project),
    )
    return pruned


def install_runtime(lock: Path, into: Path) -> Path:
    """Install the packages of a lock file into a new environment; the path of its Python."""
    environment = into / "runtime"
    uv("venv", "--python", sys.executable, environment)
    python = environment / "bin" / "python"
    uv("pip", "install", "--python", python, "--require-hashes", "--requirements", lock)
    return python


def uv(*arguments: str | Path) -> str:
    """Run uv and return its output. Raises CheckFailed with the last line of its error output."""
    done = run_uv(*arguments)
    if done.returncode != 0:
        lines = done.stderr.strip().splitlines() or [f"it ended with {done.returncode}"]
        raise CheckFailed(f"uv {arguments[0]}: {lines[-1].strip()}")
    return done.stdout


def run_uv(*arguments: str | Path, text: str = "") -> subprocess.CompletedProcess[str]:
    """Run uv with `text` on its standard input; the result, whatever the exit code."""
    command = [sys.executable, "-m", "uv", "--quiet", "--no-progress", *arguments]
    return subprocess.run(command, input=text, capture_output=True, text=True, check=False)
