"""Pages of the documentation as their readers use them: what they tell people to type is typed, and must print that."""

import re
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from attrs import frozen

DOCS: Final = Path(__file__).parents[3] / "docs"
_FENCE: Final = re.compile(r"^( *)```(\w+)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
_HEADING: Final = re.compile(r"^## (.+)$", re.MULTILINE)
_PATIENCE_SECONDS: Final = 120.0


@frozen
class Step:
    """A block of shell, and the lines that the page promises right below it; none: it promises nothing."""

    typed: str
    promised: Sequence[str]


def text_of(page: str) -> str:
    return (DOCS / page).read_text(encoding="utf-8")


def blocks(text: str, language: str) -> list[str]:
    return [_without_indent(match) for match in _FENCE.finditer(text) if match[2] == language]


def sections(page: str) -> dict[str, str]:
    """The text below each heading of the second level."""
    _, *rest = _HEADING.split(text_of(page))
    return dict(zip(rest[::2], rest[1::2], strict=True))


def steps(text: str) -> list[Step]:
    """The blocks of `bash`; one of `text` that follows, with nothing between, is what it prints."""
    fences = list(_FENCE.finditer(text))
    found = []
    for place, fence in enumerate(fences):
        if fence[2] != "bash":
            continue
        after = fences[place + 1] if place + 1 < len(fences) else None
        says = after is not None and after[2] == "text" and not text[fence.end() : after.start()].strip()
        found.append(Step(_without_indent(fence), _without_indent(after).splitlines() if after and says else ()))
    return found


def _without_indent(fence: re.Match[str]) -> str:
    return "".join(line.removeprefix(fence[1]) for line in fence[3].splitlines(keepends=True))


def walk(walked: Sequence[Step], *, directory: Path, environment: Mapping[str, str]) -> None:
    """Type all steps into one bash, and compare what each of them prints with what is promised."""
    mark = "--- end of step ---"
    script = "".join(f"{step.typed}\nprintf '\\n%s\\n' '{mark}'\n" for step in walked)
    done = subprocess.run(
        ["bash"],
        input=script,
        cwd=directory,
        env=dict(environment),
        text=True,
        capture_output=True,
        timeout=_PATIENCE_SECONDS,
        check=False,
    )
    printed = done.stdout.split(f"\n{mark}\n")
    assert len(printed) == len(walked) + 1, done.stderr
    for step, shown in zip(walked, printed, strict=False):
        compare(step.promised, shown, f"{step.typed}\n{done.stderr}")


def compare(promised: Sequence[str], shown: str, where: str = "") -> None:
    """Every promised line is among those shown, in their order. `…` stands for anything, and blanks do not count."""
    lines = iter([" ".join(line.split()) for line in shown.splitlines()])
    for promise in promised:
        wanted = ".*".join(re.escape(part) for part in " ".join(promise.split()).split("…"))
        # "a … b" is also "a b": the thing in the middle may be absent.
        pattern = re.compile(wanted.replace(r"\ .*\ ", r"\ (?:.*\ )?"))
        assert any(pattern.fullmatch(line) for line in lines), f"{promise!r} is not printed by: {where}\n{shown}"
