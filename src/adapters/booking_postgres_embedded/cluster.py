"""The data of a cluster: made whole or not at all, with a password of its own, and only opened by its own version."""

import os
import secrets
import tempfile
from pathlib import Path

from booking_postgres_embedded.account import Account, run
from booking_postgres_embedded.errors import EmbeddedPostgresError
from booking_postgres_embedded.location import Home, discard

SUPERUSER = "booking"
_LOCALES = ("C.UTF-8", "C")  # the first sorts the same everywhere and knows letters; not every system has it


def ensure_cluster(home: Home, binaries: Path, account: Account, *, major: int, durable: bool) -> str:
    """The superuser's password of a complete cluster in `home`, which is made if it is not there.

    What a killed `initdb` left is removed: it works in a directory of its own that is renamed when it is complete.
    Raises EmbeddedPostgresError for data of another major version, or data whose password is lost.
    """
    for unfinished in home.root.glob("init-*"):
        if unfinished.is_dir():
            discard(unfinished)
        else:
            unfinished.unlink(missing_ok=True)
    if not home.data.exists():
        return _make(home, binaries, account, durable=durable)
    made_by = (home.data / "PG_VERSION").read_text().strip()
    if made_by != str(major):
        raise EmbeddedPostgresError(
            f"the data in {home.data} was made by PostgreSQL {made_by}, and this is {major}: "
            f"bring back PostgreSQL {made_by}, or remove {home.root} to start with an empty database"
        )
    try:
        return home.password_file.read_text().strip()
    except FileNotFoundError:
        raise EmbeddedPostgresError(
            f"{home.password_file} is missing, and without it nobody can log in to the data beside it: "
            f"restore it, or remove {home.root} to start with an empty database"
        ) from None


def _make(home: Home, binaries: Path, account: Account, *, durable: bool) -> str:
    password = secrets.token_hex(16)
    _write_private(home.password_file, password)
    handle, name = tempfile.mkstemp(prefix="init-", suffix=".password", dir=home.root)
    passed = Path(name)
    with os.fdopen(handle, "w") as file:
        file.write(password + "\n")
        _give(passed, account)
    problem = ""
    try:
        for locale in _LOCALES:
            draft = Path(tempfile.mkdtemp(prefix="init-", dir=home.root))
            _give(draft, account)
            code, problem = run(_initdb(binaries, draft, passed, locale, durable=durable), account)
            if code == 0:
                draft.rename(home.data)
                return password
            discard(draft)
            if "locale" not in problem:
                break
    finally:
        passed.unlink(missing_ok=True)
    raise EmbeddedPostgresError(f"initdb failed in {home.root}: {_reason(problem)}")


def _initdb(binaries: Path, data: Path, passed: Path, locale: str, *, durable: bool) -> list[str | Path]:
    options: list[str | Path] = ["-D", data, "-U", SUPERUSER, "-E", "UTF8", f"--locale={locale}", "-k"]
    # Loopback is open to every user of the machine, so trusting it would make each of them superuser.
    options += ["-A", "scram-sha-256", f"--pwfile={passed}", "--no-instructions"]
    return [binaries / "initdb", *options, *([] if durable else ["--no-sync"])]


def _give(path: Path, account: Account) -> None:
    if account.switch:
        os.chown(path, account.uid, account.gid)


def _write_private(path: Path, text: str) -> None:
    handle, draft = tempfile.mkstemp(prefix="init-", dir=path.parent)  # mkstemp makes it 0600
    with os.fdopen(handle, "w") as file:
        file.write(text + "\n")
    Path(draft).replace(path)


def _reason(printed: str) -> str:
    """The line to show a person: the first that says error or fatal, else the last."""
    lines = [line.strip() for line in printed.splitlines() if line.strip()]
    telling = [line for line in lines if "error:" in line or "FATAL:" in line]
    return (telling or lines[-1:] or ["it printed nothing"])[0]
