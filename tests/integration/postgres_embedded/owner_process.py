"""Run as a program: owns the server of a data directory until it is killed or interrupted.

Arguments: data directory, directory of the programs (may be empty), and options: `fork` leaves a forked child behind,
`nobody` becomes that user first. Prints one line of JSON when the server is ready, and one more after SIGINT or
SIGTERM.
"""

import contextlib
import json
import os
import pwd
import signal
import sys
from pathlib import Path

import psycopg

from booking_postgres_embedded import EmbeddedPostgres


def _become_nobody() -> None:
    with contextlib.suppress(psycopg.OperationalError):  # loads what psycopg loads late, while we may still read it
        psycopg.connect("postgresql://127.0.0.1:1/none", connect_timeout=2)
    nobody = pwd.getpwnam("nobody")
    os.setgroups([])
    os.setgid(nobody.pw_gid)
    os.setuid(nobody.pw_uid)


def _fork() -> int:
    child = os.fork()
    if child == 0:
        os.close(1)  # the reader of our output must not wait for it
        signal.pause()
        os._exit(0)
    return child


def _query(url: str, statement: str) -> object:
    with psycopg.connect(url) as connection:
        row = connection.execute(statement).fetchone()
    return row[0] if row else None


def main(data_dir: str, binaries: str, *options: str) -> None:
    """Start, report, wait."""
    for number in (signal.SIGINT, signal.SIGTERM):  # it may have been started with them ignored
        signal.signal(number, signal.default_int_handler)
    if "nobody" in options:
        _become_nobody()
    server = EmbeddedPostgres(Path(data_dir), durable=False, binaries=Path(binaries) if binaries else None)
    with server:
        said = {
            "url": server.url,
            "location": str(server.location),
            "guard": server._guard._process.pid if server._guard else None,
            "child": _fork() if "fork" in options else None,
        }
        try:
            print(json.dumps(said), flush=True)  # from now on the interrupt may come
            signal.pause()
        except KeyboardInterrupt:
            print(json.dumps(_query(server.url, "SELECT 'still served'")), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
