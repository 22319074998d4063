"""Location of a cluster: inside its data directory, unless the account that runs the server cannot enter that."""

import hashlib
import os
import shutil
import stat
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from attrs import frozen

from booking_postgres_embedded.processes import EmbeddedPostgresError

# Other users may write beside the second, so `shared_directory` checks its owner.
SHARED_DIRECTORIES: Sequence[Path] = (Path("/var/lib/booking-core"), Path("/var/tmp/booking-core"))  # noqa: S108
_MARKER = "postgres.location"


@frozen(kw_only=True)
class Home:
    """The directory of one cluster. `relocated`: it is not inside the data directory that the caller named.

    It belongs to the user of this process; only `data` is given to the account of the server. So root writes nothing
    into a directory where another user could have placed a link.
    """

    root: Path
    relocated: bool

    @property
    def data(self) -> Path:
        return self.root / "data"

    @property
    def password_file(self) -> Path:
        return self.root / "password"

    @property
    def log(self) -> Path:
        return self.root / "log"

    @property
    def port_file(self) -> Path:
        return self.root / "port"

    @property
    def lock(self) -> Path:
        return self.root / "lock"


def key_of(data_dir: Path) -> str:
    """A file name for the data directory: the same at every start, and another one for every path."""
    return hashlib.sha256(os.fsencode(data_dir)).hexdigest()[:16]


def choose_home(data_dir: Path, *, reachable: Callable[[Path], bool], shared: Callable[[], Path]) -> Home:
    """The home of the cluster for an existing, absolute data directory.

    An existing cluster stays where it is, even if permissions have changed since: another choice would start an empty
    one without a warning. Raises EmbeddedPostgresError if its data exists but the account can no longer enter it.
    """
    inside = Home(root=data_dir / "postgres", relocated=False)
    recorded = _recorded_location(data_dir)
    if recorded is not None and recorded.parent in SHARED_DIRECTORIES and (recorded / "data").exists():
        return Home(root=recorded, relocated=True)
    if reachable(data_dir):
        return inside
    if inside.data.exists():
        raise EmbeddedPostgresError(
            f"the account of PostgreSQL can no longer get into {inside.data}, where its data is: "
            f"let it pass through the parents of {data_dir}, or move the data directory to where it can"
        )
    return Home(root=shared() / key_of(data_dir), relocated=True)


def record_location(home: Home, data_dir: Path) -> None:
    """Record in the data directory where its cluster is. The caller owns the cluster, and no server runs in it.

    Existing data without that record belongs to a data directory that has been deleted since. The user who deletes it
    expects an empty database, so the data becomes `data.previous`, of which one generation is kept.
    """
    if not home.relocated or _recorded_location(data_dir) == home.root:
        return
    if home.data.exists():
        remove_directory(home.root / "data.previous")
        home.data.rename(home.root / "data.previous")
    (data_dir / _MARKER).write_text(f"{home.root}\n")


def remove_record(data_dir: Path) -> None:
    """Undo `record_location`."""
    (data_dir / _MARKER).unlink(missing_ok=True)


def _recorded_location(data_dir: Path) -> Path | None:
    try:
        return Path((data_dir / _MARKER).read_text().strip())
    except FileNotFoundError:
        return None


def make_directory(directory: Path, mode: int) -> None:
    """Make a directory with this mode, whatever the umask; leave an existing one as it is."""
    try:
        directory.mkdir()
    except FileExistsError:
        return
    directory.chmod(mode)


def remove_directory(directory: Path) -> None:
    """Remove a directory if it exists, as far as possible: nothing depends on its absence.

    An orphaned `initdb` may still write into it, and fails when its files are gone; hence the attempts.
    """
    for pause_seconds in (0.05, 0.1, 0.2, 0.4, 0.0):
        shutil.rmtree(directory, ignore_errors=True)
        if not directory.exists():
            return
        time.sleep(pause_seconds)


def shared_directory() -> Path:
    """A directory of this user that the account of the server can enter; made if it does not exist.

    A directory that belongs to another user, or that other users may write to, is not used.
    """
    for candidate in SHARED_DIRECTORIES:
        try:
            make_directory(candidate, 0o755)
            found = candidate.lstat()
        except OSError:  # a read-only or full file system
            continue
        mine = stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid() and not found.st_mode & 0o022
        if mine:
            return candidate
    raise EmbeddedPostgresError(
        f"no place for PostgreSQL's files: neither of {', '.join(map(str, SHARED_DIRECTORIES))} can be made or is ours"
    )
