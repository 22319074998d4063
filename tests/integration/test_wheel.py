"""The wheel as a stranger meets it: built, installed into an empty environment, and used there."""

import email
import os
import re
import subprocess
import sys
import zipfile
from email.message import Message
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SHELVES = ("src", "src/adapters", "src/entrypoints")

# What each extra is for, and the most distributions it may bring, ours and attrs included.
EXTRAS = {
    "postgres": ("booking_postgres", 10),
    "kafka": ("booking_kafka", 8),
    "catalog": ("booking_catalog", 16),
    "workers": ("booking_workers booking_telemetry", 6),
    "service": ("booking_cli booking_server booking_service booking_api booking_workers booking_telemetry", 50),
    "dev": ("booking_dev booking_postgres_embedded", 54),
    "otel": ("opentelemetry.sdk", 24),
    "all": ("booking_dev booking_cli booking_workers opentelemetry.sdk", 72),
}

# Migrations are loaded by Alembic alone, a `__main__` runs what it is named for, and one module is for `otel`.
IMPORT_ALL = """
import importlib, importlib.util, pkgutil, sys
traced = importlib.util.find_spec("opentelemetry") is not None
for package in sys.argv[1:]:
    top = importlib.import_module(package)
    for module in pkgutil.walk_packages(top.__path__, package + "."):
        if module.name.endswith("__main__") or ".migrations." in module.name:
            continue
        if traced or module.name != "booking_workers.message_spans":
            importlib.import_module(module.name)
"""

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


def metadata_of(wheel: Path) -> Message:
    with zipfile.ZipFile(wheel) as archive:
        [name] = [name for name in archive.namelist() if name.endswith(".dist-info/METADATA")]
        return email.message_from_bytes(archive.read(name))


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


def install(environment: Path, *requirements: str | Path) -> Path:
    """Install with the versions of the lock file; the environment's Python."""
    into = ("--python", environment, "--constraint", ROOT / "requirements.lock")
    uv("pip", "install", *into, *requirements, cwd=environment.parent)
    return environment / "bin/python"


def distributions(python: Path) -> set[str]:
    listed = run(sys.executable, "-m", "uv", "pip", "freeze", "--python", python, cwd=python.parent)
    return {re.split("==| @ ", line)[0] for line in listed.splitlines()}


def readme_example() -> str:
    """The code of README's section on the library."""
    section = (ROOT / "README.md").read_text(encoding="utf-8").partition("## As a library")[2]
    return section.partition("```python\n")[2].partition("```")[0]


def test_base_needs_attrs_alone_and_runs_the_readme_example(wheel: Path, empty_environment: Path) -> None:
    python = install(empty_environment, wheel)

    assert distributions(python) == {"attrs", "booking-core"}
    run(python, "-c", "import booking_core.contracts, booking_memory.adapter", cwd=python.parent)
    assert run(python, "-c", readme_example(), cwd=python.parent).splitlines() == [
        "PENDING 150.00 EUR",
        "SEAT_ALREADY_RESERVED 2",
    ]


@pytest.mark.parametrize("extra", EXTRAS)
def test_extra_brings_what_its_packages_import(wheel: Path, empty_environment: Path, extra: str) -> None:
    packages, most = EXTRAS[extra]
    python = install(empty_environment, f"{wheel}[{extra}]")

    run(python, "-c", IMPORT_ALL, *packages.split(), cwd=python.parent)
    assert len(distributions(python)) <= most


def test_every_extra_is_tried(wheel: Path) -> None:
    assert set(EXTRAS) == set(metadata_of(wheel).get_all("Provides-Extra", []))


def test_installed_wheel_owns_only_our_names_and_runs(wheel: Path, empty_environment: Path) -> None:
    python = install(empty_environment, f"{wheel}[service]")

    owned = run(python, "-c", OWNED_NAMES, cwd=python.parent).split()

    assert "booking_core" in owned
    assert all(name.startswith("booking_") for name in owned)
    assert "Usage: booking" in run(empty_environment / "bin/booking", "--help", cwd=python.parent)
