"""A pgbouncer of the test's own, in transaction mode, before the test's server."""

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final

import psycopg
from sqlalchemy.engine import URL, make_url

from tests.support.directories import open_directory

MISSING: Final = "pgbouncer is not installed (Debian: apt-get install pgbouncer)"
_INI: Final = """
[databases]
* = host={host} port={server_port}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = trust
auth_file = {users}
pool_mode = transaction
default_pool_size = {pool_size}
max_client_conn = 200
"""


def program() -> str | None:
    """Where pgbouncer is; Debian keeps it where only root looks."""
    return shutil.which("pgbouncer") or shutil.which("pgbouncer", path="/usr/sbin:/usr/local/sbin")


@contextmanager
def bouncer_before(url: str, *, pool_size: int) -> Iterator[str]:
    """The URL of the same database through pgbouncer, which has so many connections to it."""
    name = program()
    assert name is not None, MISSING
    parsed, directory, port = make_url(url), open_directory(), _free_port()
    try:
        process = _start(name, directory, parsed, port, pool_size)
        try:
            through = parsed.set(host="127.0.0.1", port=port).render_as_string(hide_password=False)
            _await(through, process, directory)
            yield through
        finally:
            process.kill()
            process.wait(60)
    finally:
        shutil.rmtree(directory)


def _start(name: str, directory: Path, server: URL, port: int, pool_size: int) -> subprocess.Popen[bytes]:
    users, settings = directory / "users.txt", directory / "pgbouncer.ini"
    users.write_text(f'"{server.username}" "{server.password}"\n', encoding="utf-8")
    settings.write_text(
        _INI.format(host=server.host, server_port=server.port, port=port, users=users, pool_size=pool_size),
        encoding="utf-8",
    )
    user = "nobody" if os.geteuid() == 0 else None  # it refuses to run as root
    with (directory / "log").open("wb") as log:
        return subprocess.Popen([name, settings], stdin=subprocess.DEVNULL, stdout=log, stderr=log, user=user)


def _await(url: str, process: subprocess.Popen[bytes], directory: Path) -> None:
    give_up_at = time.monotonic() + 15
    while True:
        try:
            with psycopg.connect(url, connect_timeout=5, autocommit=True, prepare_threshold=None) as connection:
                connection.execute("SELECT 1")
                return
        except psycopg.OperationalError as error:
            if process.poll() is not None or time.monotonic() > give_up_at:
                raise AssertionError((directory / "log").read_text(encoding="utf-8")) from error
            time.sleep(0.02)


def _free_port() -> int:
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        return int(listener.getsockname()[1])
