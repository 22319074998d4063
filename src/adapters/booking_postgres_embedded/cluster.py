"""One cluster: initialise its data completely or not at all, and start the server until it accepts connections."""

import os
import secrets
import socket
import subprocess
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

from attrs import frozen

from booking_postgres_embedded.location import Home, remove_directory
from booking_postgres_embedded.processes import (
    Account,
    EmbeddedPostgresError,
    read_pid_file,
    run,
    spawn,
    stop_child,
)

HOST = "127.0.0.1"
SUPERUSER = "booking"
_LOCALES = ("C.UTF-8", "C")  # the first has the same order everywhere and knows letters; not every system has it
_DEFAULTS = {"max_connections": "100", "shared_buffers": "128MB", "timezone": "UTC", "log_timezone": "UTC"}
# synchronous_commit stays on: a commit then waits for its write, so races behave as in production.
_NOT_DURABLE = {"fsync": "off", "full_page_writes": "off"}
_START_TIMEOUT_SECONDS = 120.0  # recovery after a crash may replay much
_POLL_SECONDS = 0.003
_PORTS_TRIED = 10
_LONGEST_SOCKET_DIRECTORY = 90  # the kernel's limit is 107 bytes (macOS: 103), with /.s.PGSQL.65535.lock added to it


def ensure_cluster(home: Home, binaries: Path, account: Account, *, major: int, durable: bool) -> str:
    """The superuser's password of a complete cluster in `home`; initialise the cluster if there is none.

    `initdb` writes into a directory of its own that is renamed when it is complete; the rest of a killed one is
    removed. Raises EmbeddedPostgresError for data of another major version, and for data without its password file.
    """
    for unfinished in home.root.glob("init-*"):
        if unfinished.is_dir():
            remove_directory(unfinished)
        else:
            unfinished.unlink(missing_ok=True)
    if not home.data.exists():
        return _initialise(home, binaries, account, durable=durable)
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
            f"{home.password_file} is missing, and without it no login to the data beside it is possible: "
            f"restore it, or remove {home.root} to start with an empty database"
        ) from None


def _initialise(home: Home, binaries: Path, account: Account, *, durable: bool) -> str:
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
            remove_directory(draft)
            if "locale" not in problem:
                break
    finally:
        passed.unlink(missing_ok=True)
    raise EmbeddedPostgresError(f"initdb failed in {home.root}: {_reasons(problem, 'error:', 'FATAL:')[0]}")


def _initdb(binaries: Path, data: Path, passed: Path, locale: str, *, durable: bool) -> list[str | Path]:
    options: list[str | Path] = ["-D", data, "-U", SUPERUSER, "-E", "UTF8", f"--locale={locale}", "-k"]
    # Every user of the machine can connect to loopback, so `trust` would make each of them a superuser.
    options += ["-A", "scram-sha-256", f"--pwfile={passed}", "--no-instructions"]
    return [binaries / "initdb", *options, *([] if durable else ["--no-sync"])]


def _give(path: Path, account: Account) -> None:
    if account.switch:
        os.chown(path, account.uid, account.gid)


def _write_private(path: Path, text: str) -> None:
    handle, draft = tempfile.mkstemp(prefix="init-", dir=path.parent)  # with mode 0600
    with os.fdopen(handle, "w") as file:
        file.write(text + "\n")
    Path(draft).replace(path)


@frozen(kw_only=True)
class Server:
    """A server that accepts connections on HOST and `port`."""

    process: subprocess.Popen[bytes]
    port: int


def server_settings(data: Path, port: int, extra: Mapping[str, str], *, durable: bool) -> dict[str, str]:
    """All settings of the server. `extra` overrides the defaults, but not where the server listens."""
    listening = {
        "listen_addresses": HOST,
        "port": str(port),
        "unix_socket_directories": socket_directory(data),
    }
    return {**_DEFAULTS, **({} if durable else _NOT_DURABLE), **extra, **listening}


def socket_directory(data: Path) -> str:
    """The directory of the Unix socket: the data directory, which is private; empty if its path does not fit."""
    path = str(data)
    fits = len(path.encode()) <= _LONGEST_SOCKET_DIRECTORY and not set(path) & set(',"')
    return path if fits else ""


def launch(
    home: Home, binaries: Path, account: Account, *, port: int | None, settings: Mapping[str, str], durable: bool
) -> Server:
    """Start the server and wait until it is ready. The caller owns the cluster, and no server runs in it.

    Without `port` the server gets the one that it had before, if that is free, else any free one; another one if it is
    taken meanwhile. Raises EmbeddedPostgresError if the given port is taken, or with the reason that the server logs.
    """
    deadline = time.monotonic() + _START_TIMEOUT_SECONDS
    tries = 0
    while True:
        chosen = port if port is not None else _port_of_before(home) if tries == 0 else _free_port()
        options = server_settings(home.data, chosen, settings, durable=durable)
        process = _spawn(home, binaries, account, options)
        if _became_ready(process, home.data, deadline):
            home.port_file.write_text(str(chosen), encoding="utf-8")
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
            time.sleep(0.1)  # until the backends of a killed server have ended
        else:
            reason = _reasons(printed, "FATAL:", "PANIC:")[-1]
            raise EmbeddedPostgresError(f"PostgreSQL did not start: {reason}; its log is {home.log}")


def _spawn(home: Home, binaries: Path, account: Account, settings: Mapping[str, str]) -> subprocess.Popen[bytes]:
    if home.log.exists():
        home.log.replace(home.log.with_name("log.previous"))
    given = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
    with open(home.log, "wb", opener=_private) as log:
        return spawn([binaries / "postgres", "-D", home.data, *given], account, output=log)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NOFOLLOW, 0o600)  # the log contains failed statements with their data


def _became_ready(process: subprocess.Popen[bytes], data: Path, deadline: float) -> bool:
    try:
        while process.poll() is None and time.monotonic() < deadline:
            found = read_pid_file(data)
            if found is not None and found.pid == process.pid and found.status == "ready":
                return True
            time.sleep(_POLL_SECONDS)
    except BaseException:
        stop_child(process)
        raise
    stop_child(process)
    return False


def _port_of_before(home: Home) -> int:
    """The port of the last start, so that settings which name it stay right; a free one if that is taken or unknown."""
    try:
        number = int(home.port_file.read_text(encoding="utf-8"))
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((HOST, number))
    except (OSError, ValueError, OverflowError):
        return _free_port()
    return number


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        number: int = probe.getsockname()[1]
        return number


def _reasons(printed: str, *marks: str) -> list[str]:
    """The lines of a program's output with one of the marks, else its last line."""
    lines = [line.strip() for line in printed.splitlines() if line.strip()]
    marked = [line for line in lines if any(mark in line for mark in marks)]
    return marked or lines[-1:] or ["it printed nothing"]
