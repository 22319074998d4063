"""The lists in pyproject.toml name every package on the shelves, and the domain keeps to attrs."""

import sys
import tomllib
from pathlib import Path
from typing import Any

import grimp
import pytest

ROOT = Path(__file__).parents[2]
SOURCE_ROOTS = ("src", "src/adapters", "src/entrypoints")


def packages() -> list[Path]:
    inits = [init for root in SOURCE_ROOTS for init in (ROOT / root).glob("*/__init__.py")]
    return sorted(init.parent for init in inits)


@pytest.fixture(scope="module")
def pyproject() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def test_the_wheel_has_every_package(pyproject: dict[str, Any]) -> None:
    listed = pyproject["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]

    assert sorted(listed) == sorted(str(package.relative_to(ROOT)) for package in packages())


def test_the_import_arrows_cover_every_package(pyproject: dict[str, Any]) -> None:
    names = {package.name for package in packages()}
    arrows = pyproject["tool"]["importlinter"]
    layers, protected = arrows["contracts"][0]["layers"], arrows["contracts"][1]["protected_modules"]

    assert set(arrows["root_packages"]) == names
    assert {name for layer in layers for name in layer.replace("|", " ").replace(":", " ").split()} == names
    assert set(protected) == {package.name for package in packages() if package.parent.name == "adapters"}


def test_every_package_is_typed_and_named_for_us() -> None:
    assert [package.name for package in packages() if not (package / "py.typed").is_file()] == []
    assert [package.name for package in packages() if not package.name.startswith("booking_")] == []


def test_unit_tests_mirror_the_packages() -> None:
    unit = ROOT / "tests" / "unit"
    modules = [path.relative_to(unit) for root in packages() for path in unit.glob(f"{root.name}/**/test_*.py")]
    named = {package.name: package.parent for package in packages()}
    strays = [path for path in unit.iterdir() if path.is_dir() and path.name.startswith("booking_")]

    assert {path.name for path in strays} <= named.keys()
    assert [str(each) for each in modules if not (named[each.parts[0]] / each).parent.is_dir()] == []


def test_the_domain_imports_attrs_and_the_standard_library_alone() -> None:
    graph = grimp.build_graph("booking_core", include_external_packages=True, cache_dir=None)
    outside = {name for name in graph.modules if graph.is_module_squashed(name)}

    assert outside - sys.stdlib_module_names <= {"attr", "attrs"}


def test_the_domain_is_pure() -> None:
    graph = grimp.build_graph("booking_core", include_external_packages=True, cache_dir=None)
    modules = {name for name in graph.modules if name.startswith("booking_core.domain.")}
    imported = {name for module in modules for name in graph.find_modules_directly_imported_by(module)} - modules
    impure = {"asyncio", "contextvars", "json", "logging", "multiprocessing", "os", "socket", "threading", "time"}

    assert len(modules) > 8
    assert imported - sys.stdlib_module_names <= {"attr", "attrs"}
    assert imported & impure == set()
