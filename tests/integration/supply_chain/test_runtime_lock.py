"""What of the lock file runs in production, as the Containerfile and `make audit` cut it out."""

import re
from pathlib import Path

from supply_chain.lock_files import locked_names, runtime_lock

ROOT = Path(__file__).parents[3]
LOCK, PROJECT = ROOT / "requirements.lock", ROOT / "pyproject.toml"


def pins(lock: Path) -> dict[str, set[str]]:
    """Each `name==version ; marker` with its hashes."""
    found: dict[str, set[str]] = {}
    for line in lock.read_text(encoding="utf-8").splitlines():
        if line[:1].isalnum():
            found[current := line.rstrip(" \\")] = set()
        elif hashed := re.match(r" +--hash=(\S+)", line):
            found[current].add(hashed[1])
    return found


def test_it_is_the_lock_without_what_developers_need(tmp_path: Path) -> None:
    cut = runtime_lock(LOCK, PROJECT, tmp_path)
    everything, kept = pins(LOCK), pins(cut)

    assert {"attrs", "flask", "psycopg", "granian"} <= locked_names(cut)
    assert not {"pytest", "ruff", "mypy", "uv", "hypothesis"} & locked_names(cut)
    assert all(kept.values())
    # A marker may become narrower, for nobody but a developer's package wants the rest.
    whole = {pin.partition(" ")[0]: hashes for pin, hashes in everything.items()}
    assert all(whole[pin.partition(" ")[0]] == hashes for pin, hashes in kept.items())
