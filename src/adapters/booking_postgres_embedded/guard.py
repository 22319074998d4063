"""No orphans: a shell of four words that outlives the owner by a moment and stops the server.

The owner holds the writing end of a pipe. When it ends, by whatever signal, the guard reads end-of-file and asks for a
fast shutdown, if `postmaster.pid` still names the server it guards. (`PR_SET_PDEATHSIG` will not do: it fires when the
*thread* that started the server ends, it needs code between fork and exec, and there is none on macOS.)
"""

import os
from pathlib import Path

from booking_postgres_embedded import fork_safety
from booking_postgres_embedded.account import Account, spawn

_SCRIPT = 'read -r _; read -r pid <"$1/postmaster.pid" && [ "$pid" = "$2" ] && kill -INT "$2"'


class Guard:
    """Stops the server `pid` of the directory `data` when this process ends without having said `dismiss`."""

    def __init__(self, data: Path, pid: int, account: Account) -> None:
        reading, writing = os.pipe()
        try:
            self._process = spawn(
                ["/bin/sh", "-c", _SCRIPT, "booking-postgres-guard", data, str(pid)], account, stdin=reading
            )
        except BaseException:
            os.close(writing)
            raise
        finally:
            os.close(reading)
        self._writing = writing
        fork_safety.keep_from_forks(writing)

    def dismiss(self) -> None:
        """The server is stopped by other means; the guard is gone when this returns."""
        self._process.kill()
        self._process.wait()
        fork_safety.close(self._writing)
