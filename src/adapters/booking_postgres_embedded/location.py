"""Where a cluster lives: inside its data directory, unless the account that runs it cannot get in there."""

import hashlib
import os
import shutil
import stat
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from booking_postgres_embedded.errors import EmbeddedPostgresError

# Others may write beside the second, so `common_place` looks at who made it.
PLACES: Sequence[Path] = (Path("/var/lib/booking-core"), Path("/var/tmp/booking-core"))  # noqa: S108
_MARKER = "postgres.location"


@dataclass(frozen=True, kw_only=True)
class Home:
    """One directory with everything of one cluster. `relocated`: it is not inside the data directory asked for.

    It belongs to whoever runs this program; only `data` is given to the server's account. So as root nothing is
    written into a directory in which another user could have laid a link.
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
    def lock(self) -> Path:
        return self.root / "lock"


def key_of(data_dir: Path) -> str:
    """A name for the directory that is the same at every start, different for every path, and fit for a file."""
    return hashlib.sha256(os.fsencode(data_dir)).hexdigest()[:16]


def choose_home(data_dir: Path, *, reachable: Callable[[Path], bool], place: Callable[[], Path]) -> Home:
    """The home of the cluster of an existing, absolute data directory.

    Where a cluster already is, it stays, even when permissions have changed since: another choice would silently
    start an empty one. Raises EmbeddedPostgresError when the data is there but can no longer be reached.
    """
    inside = Home(root=data_dir / "postgres", relocated=False)
    noted = _noted(data_dir)
    if noted is not None and noted.parent in PLACES and (noted / "data").exists():
        return Home(root=noted, relocated=True)
    if reachable(data_dir):
        return inside
    if inside.data.exists():
        raise EmbeddedPostgresError(
            f"the account of PostgreSQL can no longer get into {inside.data}, where its data is: "
            f"let it pass through the parents of {data_dir}, or move the data directory to where it can"
        )
    return Home(root=place() / key_of(data_dir), relocated=True)


def settle(home: Home, data_dir: Path) -> None:
    """Note in the data directory where its cluster is. The caller holds the home's lock, no server runs there.

    Without that note, a relocated cluster belongs to a data directory that has been deleted since: whoever deletes it
    wants to start anew. The old data is put aside as `data.previous`, one generation of it.
    """
    if not home.relocated or _noted(data_dir) == home.root:
        return
    if home.data.exists():
        discard(home.root / "data.previous")
        home.data.rename(home.root / "data.previous")
    (data_dir / _MARKER).write_text(f"{home.root}\n")


def forget(data_dir: Path) -> None:
    """Take back the note of `settle`."""
    (data_dir / _MARKER).unlink(missing_ok=True)


def _noted(data_dir: Path) -> Path | None:
    try:
        return Path((data_dir / _MARKER).read_text().strip())
    except FileNotFoundError:
        return None


def make(directory: Path, mode: int) -> None:
    """Make a directory with exactly this mode, whatever the umask. One that is there is left as it is."""
    try:
        directory.mkdir()
    except FileExistsError:
        return
    directory.chmod(mode)


def discard(directory: Path) -> None:
    """Remove a directory if it is there. An orphaned `initdb` may still write into it, and ends for want of its files.

    What cannot be removed is left: nothing depends on its absence.
    """
    for pause in (0.05, 0.1, 0.2, 0.4, 0.0):
        shutil.rmtree(directory, ignore_errors=True)
        if not directory.exists():
            return
        time.sleep(pause)


def common_place() -> Path:
    """A directory for what the server's account must reach, owned by us and open to walk through; made if missing.

    A directory of this name that belongs to somebody else, or that others may write to, is not used.
    """
    for candidate in PLACES:
        try:
            make(candidate, 0o755)
            found = candidate.lstat()
        except OSError:  # a read-only or full file system: try the next
            continue
        mine = stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid() and not found.st_mode & 0o022
        if mine:
            return candidate
    raise EmbeddedPostgresError(
        f"no place for PostgreSQL's files: neither of {', '.join(map(str, PLACES))} can be made or is ours"
    )
