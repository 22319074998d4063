"""How the tests get their broker: fetched once, however many ask, and one line when something is missing."""

import os
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import pytest

from tests.support.kafka.broker import NotInstalled, java, libraries, tools

_MAVEN = """#!/bin/sh
echo run >> "$XDG_CACHE_HOME/runs"
sleep 0.3
mkdir libs && echo jar > libs/kafka.jar
"""


@pytest.fixture
def only_these_programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory that is all of PATH but the system's shell tools, and an empty cache."""
    programs = tmp_path / "bin"
    programs.mkdir()
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("PATH", str(programs))
    return programs


def program(path: Path, text: str) -> None:
    path.write_text(text.replace("#!/bin/sh\n", "#!/bin/sh\nPATH=/usr/bin:/bin\n"))
    path.chmod(0o755)


def test_processes_that_ask_at_once_fetch_once(only_these_programs: Path) -> None:
    program(only_these_programs / "mvn", _MAVEN)
    with ProcessPoolExecutor(3, mp_context=get_context("spawn")) as pool:
        found = {future.result() for future in [pool.submit(libraries) for _ in range(3)]}

    (jars,) = found
    assert [path.name for path in jars.iterdir()] == ["kafka.jar"]
    assert Path(os.environ["XDG_CACHE_HOME"], "runs").read_text() == "run\n"


def test_the_tools_are_fetched_apart_from_the_broker(only_these_programs: Path) -> None:
    program(only_these_programs / "mvn", "#!/bin/sh\nmkdir libs && cp pom.xml libs/\n")

    broker, console = libraries(), tools()

    assert broker != console
    assert "<artifactId>kafka_2.13<" in (broker / "pom.xml").read_text()
    assert "<artifactId>kafka-tools<" in (console / "pom.xml").read_text()


def test_a_failed_fetch_leaves_nothing_behind(only_these_programs: Path) -> None:
    program(only_these_programs / "mvn", "#!/bin/sh\nmkdir libs\necho '[ERROR] no network'\nexit 1\n")
    with pytest.raises(NotInstalled, match=r"let Maven fetch it: \[ERROR\] no network"):
        libraries()
    program(only_these_programs / "mvn", _MAVEN)

    assert [path.name for path in libraries().iterdir()] == ["kafka.jar"]


def test_without_maven_one_line_says_what_to_install(only_these_programs: Path) -> None:
    with pytest.raises(NotInstalled, match="apt-get install maven") as missing:
        libraries()

    assert "\n" not in str(missing.value)


@pytest.mark.parametrize("version", [None, "11.0.2", "1.8.0_292"])
def test_without_a_new_java_one_line_says_what_to_install(only_these_programs: Path, version: str | None) -> None:
    if version:
        program(only_these_programs / "java", f"#!/bin/sh\necho 'openjdk version \"{version}\"' >&2\n")
    with pytest.raises(NotInstalled, match=r"install Java 17 or newer .*apt-get") as missing:
        java()

    assert "\n" not in str(missing.value)


@pytest.mark.parametrize("version", ["17.0.15", "21", "26-ea"])
def test_a_new_java_will_do(only_these_programs: Path, version: str) -> None:
    program(only_these_programs / "java", f"#!/bin/sh\necho 'openjdk version \"{version}\"' >&2\n")

    assert java() == str(only_these_programs / "java")
