"""The wheel as a stranger meets it: built, installed into an empty environment, and used there."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SHELVES = ("src", "src/adapters", "src/entrypoints")

OWNED_NAMES = """
import importlib.metadata as metadata
print(*(name for name, owners in metadata.packages_distributions().items() if "booking-core" in owners))
"""


def run(*command: str | Path, cwd: Path) -> str:
    """What the command printed, run with nothing of this environment on its path; it must succeed."""
    outside = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}
    done = subprocess.run(command, cwd=cwd, env=outside, capture_output=True, text=True, timeout=110)
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def build(kind: str, source: Path, into: Path) -> Path:
    # No isolation, so no download: hatchling comes from the environment that runs the tests.
    run(sys.executable, "-m", "hatchling", "build", "-t", kind, "-d", into, cwd=source)
    [built] = into.iterdir()
    return built


def contents(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build("wheel", ROOT, tmp_path_factory.mktemp("wheel"))


def uv(*arguments: str | Path, cwd: Path) -> None:
    run(sys.executable, "-m", "uv", "--quiet", *arguments, cwd=cwd)


@pytest.fixture
def empty_environment(tmp_path: Path) -> Path:
    uv("venv", "--python", sys.executable, tmp_path / "venv", cwd=tmp_path)
    return tmp_path / "venv"


def test_wheel_holds_every_package_and_nothing_else(wheel: Path) -> None:
    tops = {name.split("/")[0] for name in contents(wheel)}
    packages = {init.parent.name for root in SHELVES for init in (ROOT / root).glob("*/__init__.py")}

    assert {top for top in tops if not top.endswith(".dist-info")} == packages
    assert all(name.startswith("booking_") for name in tops)


def test_wheel_carries_types_migrations_and_licence(wheel: Path) -> None:
    names = contents(wheel)
    packages = {name.split("/")[0] for name in names if not name.split("/")[0].endswith(".dist-info")}
    migrations = ROOT / "src/adapters/booking_postgres/migrations"
    expected = {str(path.relative_to(migrations.parents[1])) for path in migrations.rglob("*.py")}

    assert {f"{package}/py.typed" for package in packages} <= names
    assert any("/versions/" in name for name in expected)
    assert expected <= names
    assert any(name.endswith(".dist-info/licenses/LICENSE") for name in names)


def test_wheel_carries_the_page_of_dev(wheel: Path) -> None:
    shelf = ROOT / "src/entrypoints"
    page = {str(path.relative_to(shelf)) for path in (shelf / "booking_dev/seat_map").iterdir()}

    assert "booking_dev/seat_map/index.html" in page
    assert page <= contents(wheel)


def test_source_distribution_builds_the_same_wheel(wheel: Path, tmp_path: Path) -> None:
    sdist = build("sdist", ROOT, tmp_path / "sdist")
    here = ("--python", sys.executable, "--no-build-isolation")
    uv("build", "--wheel", *here, "--out-dir", tmp_path / "wheel", sdist, cwd=tmp_path)
    [rebuilt] = (tmp_path / "wheel").glob("*.whl")

    assert contents(rebuilt) == contents(wheel)


def test_domain_imports_with_attrs_alone(wheel: Path, empty_environment: Path) -> None:
    home = empty_environment.parent
    constraints = ROOT / "requirements.lock"
    uv("pip", "install", "--python", empty_environment, "--no-deps", wheel, cwd=home)
    uv("pip", "install", "--python", empty_environment, "--constraint", constraints, "attrs", cwd=home)

    run(empty_environment / "bin/python", "-c", "import booking_core, booking_core.contracts", cwd=home)


def test_installed_wheel_owns_only_our_names_and_runs(wheel: Path, empty_environment: Path) -> None:
    home = empty_environment.parent
    constraints = ROOT / "requirements.lock"
    uv("pip", "install", "--python", empty_environment, "--constraint", constraints, wheel, cwd=home)
    python = empty_environment / "bin/python"

    owned = run(python, "-c", OWNED_NAMES, cwd=home).split()
    run(python, "-c", "import booking_core", cwd=home)

    assert "booking_core" in owned
    assert all(name.startswith("booking_") for name in owned)
    assert "Usage: booking" in run(empty_environment / "bin/booking", "--help", cwd=home)
