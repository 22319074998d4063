"""Extras: every missing library is reported as the extra that installs it."""

import re
import subprocess
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from booking_service.extras import MODULES, extra_needed, missing_extra, require_extra

ROOT = Path(__file__).parents[3]


def test_extra_of_a_submodule_is_that_of_its_library() -> None:
    assert missing_extra(ModuleNotFoundError("no", name="granian._granian")) == "service"
    assert missing_extra(ModuleNotFoundError("no", name="kafka")) == "kafka"


@pytest.mark.parametrize(
    "error", [ModuleNotFoundError("no", name="numpy"), ModuleNotFoundError("no"), ImportError("no", name="kafka")]
)
def test_no_extra_for_any_other_error(error: Exception) -> None:
    assert missing_extra(error) is None


def test_required_extra_raises_for_the_first_missing_module(monkeypatch: pytest.MonkeyPatch) -> None:
    for extra in MODULES:
        require_extra(extra)
    monkeypatch.setitem(sys.modules, "flask", None)

    with pytest.raises(ModuleNotFoundError) as error:
        require_extra("service")

    assert error.value.name == "flask"


def test_line_names_the_command_and_how_to_install_the_extra() -> None:
    assert extra_needed("booking serve", "service") == (
        "booking serve needs the extra \"service\": pip install 'booking-core[service]'"
    )


@pytest.mark.parametrize("extra", MODULES)
def test_every_module_of_an_extra_comes_with_one_of_its_requirements(extra: str) -> None:
    distributions = packages_distributions()
    wanted = {name for name in requirements(extra) if name != "booking-core"}

    for module in MODULES[extra]:
        assert {name.lower().replace("_", "-") for name in distributions[module]} & wanted, module


def requirements(extra: str) -> set[str]:
    """Names of the distributions that the extra requires, also by way of other extras."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    found = set()
    for requirement in project["optional-dependencies"][extra]:
        name = re.split(r"[^\w.-]", requirement.lower(), maxsplit=1)[0]
        found.add(name)
        if name == "booking-core":
            for inner in requirement.partition("[")[2].rstrip("]").split(","):
                found |= requirements(inner)
    return found


@pytest.mark.parametrize(
    ("module", "arguments", "line"),
    [
        ("click", "serve", "booking needs the extra \"service\": pip install 'booking-core[service]'"),
        ("flask", "serve", "booking serve needs the extra \"service\": pip install 'booking-core[service]'"),
        ("sqlalchemy", "migrate", "booking migrate needs the extra \"postgres\": pip install 'booking-core[postgres]'"),
        (
            "jwt",
            "token --user a --data-dir .",
            "booking token needs the extra \"service\": pip install 'booking-core[service]'",
        ),
    ],
)
def test_command_without_its_extra_names_it_and_exits_1(tmp_path: Path, module: str, arguments: str, line: str) -> None:
    script = f"""
import sys
sys.modules[{module!r}] = None  # what an import finds then is a ModuleNotFoundError
sys.argv = ["booking", *{arguments.split()!r}]
from booking_cli.__main__ import main
main()
"""
    (tmp_path / "dev-signing-key.pem").touch()
    environ = {
        "BOOKING_DATABASE_URL": "postgresql://127.0.0.1:1/booking",
        "BOOKING_JWT_ISSUER": "https://issuer.example.com/",
        "BOOKING_JWT_AUDIENCE": "booking",
    }

    ended = subprocess.run(
        [sys.executable, "-c", script],
        cwd=tmp_path,
        env=environ,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert (ended.returncode, ended.stdout, ended.stderr) == (1, "", f"error: {line}\n")
