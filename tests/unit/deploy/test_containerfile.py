"""deploy/Containerfile: what it copies is there, and what it starts is ours."""

import fnmatch
import json
import re
import tomllib
from functools import cache
from typing import Final

from tests.unit.deploy.programs import DEPLOY, ROOT, Program, asked_url, probe_paths

FILE: Final = DEPLOY / "Containerfile"
TOKENS: Final = {"BOOKING_JWT_ISSUER": "https://t.example.com/", "BOOKING_JWT_AUDIENCE": "booking"}


@cache
def instructions() -> list[tuple[str, str]]:
    """Each with its words, comments and line breaks taken out."""
    text = re.sub(r"(?m)^\s*#.*\n", "", FILE.read_text(encoding="utf-8")).replace("\\\n", " ")
    return [(word, rest) for word, _, rest in (line.partition(" ") for line in text.splitlines() if line.strip())]


def last(word: str) -> str:
    return [rest for found, rest in instructions() if found == word][-1]


def project() -> dict[str, str]:
    table: dict[str, str] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return table


def test_what_it_starts_is_the_api() -> None:
    command = json.loads(last("CMD"))
    program = Program(arguments=tuple(command), environ=TOKENS | {"BOOKING_DATABASE_URL": "postgresql://db/booking"})

    assert json.loads(last("ENTRYPOINT")) == ["booking"]
    assert program.settings().database_url == "postgresql://db/booking"
    assert program.options["host"] == "0.0.0.0"
    assert str(program.port) in last("EXPOSE").split()
    port, path = asked_url(last("HEALTHCHECK").split())
    assert port == program.port
    assert path in probe_paths("serve")


def test_it_is_not_root_and_stops_politely() -> None:
    assert last("USER") == "10001:10001"
    assert last("STOPSIGNAL") == "SIGTERM"


def test_it_is_told_the_version_of_the_project() -> None:
    assert last("ARG") == f"VERSION={project()['version']}"
    assert f'org.opencontainers.image.licenses="{project()["license"]}"' in last("LABEL")


def test_what_it_copies_is_there_and_not_ignored() -> None:
    copied = [
        name for word, rest in instructions() if word == "COPY" and "--from" not in rest for name in rest.split()[:-1]
    ]
    lines = (ROOT / ".containerignore").read_text(encoding="utf-8").splitlines()
    let_in = {line.removeprefix("!/") for line in lines if line.startswith("!")}

    assert lines[1] == "*"
    assert set(copied) == let_in
    assert all((ROOT / name).exists() for name in copied)
    assert (ROOT / ".dockerignore").read_text(encoding="utf-8") == "\n".join(lines) + "\n"


def test_every_installation_checks_hashes() -> None:
    runs = [part for word, rest in instructions() if word == "RUN" for part in re.split(r"\s*&&\s*", rest)]
    installing = [
        part for part in runs if fnmatch.fnmatch(part, "*pip install*") or fnmatch.fnmatch(part, "*uv build*")
    ]

    assert len(installing) == 4
    assert all("--require-hashes" in part or "--no-deps" in part for part in installing), installing
