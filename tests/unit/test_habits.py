"""What contributors are told and what runs for their changes: every target, file and program in it exists."""

import re
import subprocess
import sys
import tomllib
from functools import cache
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

ROOT: Final = Path(__file__).parents[2]
WORKFLOWS: Final = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
PAGES: Final = ("CONTRIBUTING.md", "SECURITY.md", ".github/pull_request_template.md", "deploy/README.md")


@cache
def makefile() -> str:
    return (ROOT / "Makefile").read_text(encoding="utf-8")


@cache
def targets() -> frozenset[str]:
    [phony] = re.findall(r"(?m)^\.PHONY: (.+)$", makefile())
    return frozenset(phony.split())


@cache
def steps() -> list[Any]:
    jobs = [job for path in WORKFLOWS for job in yaml.safe_load(path.read_text(encoding="utf-8"))["jobs"].values()]
    return [step for job in jobs for step in job["steps"]]


def called_targets(text: str) -> set[str]:
    """What `make` is asked for, in a command or in prose as `code`; options and variables are no targets."""
    calls = re.findall(r"(?m)(?:^|`|&& )make((?: +[^\s`#]+)+)", text)
    words = [word for call in calls for word in re.sub(r"\S+='[^']*'?|\S+=\S+|--?\S+", "", call).split()]
    return {word for word in words if re.fullmatch(r"[a-z]+", word)}


def test_help_lists_every_target_and_each_is_there() -> None:
    # It may run under `make` itself, which then says where it is.
    command = ["make", "--no-print-directory", "help"]
    shown = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout

    assert {line.split()[1] for line in shown.splitlines()} == targets()
    assert all(re.search(rf"(?m)^{target}:", makefile()) for target in targets())


def test_the_workflow_calls_what_exists() -> None:
    commands = [step["run"] for step in steps() if "run" in step]
    asked = {target for command in commands for target in called_targets(command)}
    scripts = {command.removeprefix("bash ") for command in commands if not command.startswith("make ")}

    assert {"check", "audit", "build"} <= asked <= targets()
    assert all((ROOT / script).is_file() for script in scripts)


def test_the_workflow_tries_every_supported_python() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    supported = re.findall(r"Python :: (3\.\d+)", " ".join(project["classifiers"]))
    jobs = [job for path in WORKFLOWS for job in yaml.safe_load(path.read_text(encoding="utf-8"))["jobs"].values()]

    assert [job["strategy"]["matrix"]["python"] for job in jobs if "strategy" in job] == [supported]
    assert project["requires-python"] == f">={supported[0]}"


def test_ci_runs_the_gate() -> None:
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")

    assert {"check", "test"} <= called_targets(script) <= targets()
    assert "bash .ci/packages" in script


@pytest.mark.parametrize("page", PAGES)
def test_pages_name_what_exists(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    links = [link for link in re.findall(r"\]\(([^)#]+)[^)]*\)", text) if "://" not in link]
    # Of code, only what stands in the root: deeper paths are told from where they are.
    named = re.findall(r"`((?:src|tests|docs|deploy|supply_chain|\.ci)/[\w./-]+|[A-Z]+\.md)`", text)

    assert called_targets(text) <= targets()
    assert all(((ROOT / page).parent / link).exists() for link in links), links
    assert all((ROOT / name).exists() for name in named), named


def test_hooks_call_what_is_installed() -> None:
    [repository] = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))["repos"]
    programs = {Path(hook["entry"].split()[0]) for hook in repository["hooks"]}

    # "local" and "system": nothing is fetched.
    assert repository["repo"] == "local"
    assert {hook["language"] for hook in repository["hooks"]} == {"system"}
    assert {str(program.parent) for program in programs} == {".venv/bin"}
    assert all((Path(sys.executable).parent / program.name).exists() for program in programs)
