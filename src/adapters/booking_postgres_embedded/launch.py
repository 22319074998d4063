"""Starting the server on a cluster, up to the moment it takes connections."""

import os
import socket
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from booking_postgres_embedded.account import Account, spawn
from booking_postgres_embedded.errors import EmbeddedPostgresError
from booking_postgres_embedded.location import Home
from booking_postgres_embedded.postmaster import read_pid_file, stop_child

HOST = "127.0.0.1"
_DEFAULTS = {"max_connections": "100", "shared_buffers": "128MB", "timezone": "UTC", "log_timezone": "UTC"}
# synchronous_commit stays on: it is what makes a commit wait its turn, so races behave as in production.
_THROW_AWAY = {"fsync": "off", "full_page_writes": "off"}
_PATIENCE = 120.0  # recovery after a crash may have much to replay
_POLL = 0.003
_PORTS_TRIED = 10
_LONGEST_SOCKET_DIRECTORY = 90  # the kernel's limit is 107 bytes (macOS: 103), with /.s.PGSQL.65535.lock added to it


@dataclass(frozen=True, kw_only=True)
class Server:
    """A server that takes connections on HOST and `port`."""

    process: subprocess.Popen[bytes]
    port: int


def server_settings(data: Path, port: int, extra: Mapping[str, str], *, durable: bool) -> dict[str, str]:
    """All settings the server is started with. `extra` wins over the defaults, never over where it listens."""
    listening = {
        "listen_addresses": HOST,
        "port": str(port),
        "unix_socket_directories": socket_directory(data),
    }
    return {**_DEFAULTS, **({} if durable else _THROW_AWAY), **extra, **listening}


def socket_directory(data: Path) -> str:
    """Where the unix socket goes: beside the data, closed to others; nowhere if the path is too long or odd for it."""
    path = str(data)
    fits = len(path.encode()) <= _LONGEST_SOCKET_DIRECTORY and not set(path) & set(',"')
    return path if fits else ""


def launch(
    home: Home, binaries: Path, account: Account, *, port: int | None, settings: Mapping[str, str], durable: bool
) -> Server:
    """Start the server and wait until it is ready. The caller owns the cluster and no server runs in it.

    Without `port` a free one is taken, and another if somebody is quicker. Raises EmbeddedPostgresError if the port
    asked for is taken, or with the server's own reason.
    """
    deadline = time.monotonic() + _PATIENCE
    tries = 0
    while True:
        chosen = port if port is not None else _free_port()
        options = server_settings(home.data, chosen, settings, durable=durable)
        process = _spawn(home, binaries, account, options)
        if _became_ready(process, home.data, deadline):
            return Server(process=process, port=chosen)
        printed = home.log.read_text(errors="replace")
        tries += 1
        if "Address already in use" in printed and port is not None:
            raise EmbeddedPostgresError(
                f"port {port} on {HOST} is taken by another program: stop that program, or choose another port"
            )
        if "Address already in use" in printed and tries < _PORTS_TRIED:
            continue
        if "is still in use" in printed and time.monotonic() < deadline:
            time.sleep(0.1)  # the backends of a server that was killed notice within moments
        else:
            raise EmbeddedPostgresError(f"PostgreSQL did not start: {_reason(printed)}; its log is {home.log}")


def _spawn(home: Home, binaries: Path, account: Account, settings: Mapping[str, str]) -> subprocess.Popen[bytes]:
    if home.log.exists():
        home.log.replace(home.log.with_name("log.previous"))
    given = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
    with open(home.log, "wb", opener=_private) as log:
        return spawn([binaries / "postgres", "-D", home.data, *given], account, output=log)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NOFOLLOW, 0o600)  # statements that failed are in it, with their data


def _became_ready(process: subprocess.Popen[bytes], data: Path, deadline: float) -> bool:
    try:
        while process.poll() is None and time.monotonic() < deadline:
            found = read_pid_file(data)
            if found is not None and found.pid == process.pid and found.status == "ready":
                return True
            time.sleep(_POLL)
    except BaseException:
        stop_child(process)
        raise
    stop_child(process)
    return False


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        number: int = probe.getsockname()[1]
        return number


def _reason(printed: str) -> str:
    lines = [line.strip() for line in printed.splitlines() if line.strip()]
    telling = [line for line in lines if "FATAL:" in line or "PANIC:" in line]
    return (telling or lines or ["it said nothing"])[-1]
