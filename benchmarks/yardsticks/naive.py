"""The yardstick for the database: the same work as one statement per round trip, by pgbench (`naive/` has its SQL)."""

import re
import subprocess
from pathlib import Path
from typing import Final

import psycopg

from benchmarks.environment.databases import database
from benchmarks.errors import BenchmarkFailed
from booking_postgres_embedded import EmbeddedPostgres

CLIENTS: Final = 20
_SQL: Final = Path(__file__).with_name("naive")
# A client walks through 20,000 seats; its statements would meet its own seats again after these many.
_MOST_SECONDS: Final = 30


def reservations_per_second(server: EmbeddedPostgres, seconds: int) -> float:
    """Transactions a second of 20 clients, every one with seats and users of its own, in a database of their own."""
    with database(server, "naive") as url:
        with psycopg.connect(url, autocommit=True) as connection:
            for statement in (_SQL / "schema.sql").read_text().split(";"):
                if statement.strip():
                    connection.execute(statement.encode())
            connection.execute("VACUUM ANALYZE")
            connection.execute("CHECKPOINT")
        return _pgbench(server, url, "reserve.sql", CLIENTS, ["--time", str(min(seconds, _MOST_SECONDS))])


def confirmations_per_second(server: EmbeddedPostgres, url: str, number: int) -> float:
    """Confirm so many of the PENDING bookings in that database, one after the other on one connection."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(
            "CREATE TABLE ordered AS SELECT row_number() OVER (ORDER BY booking_id)::integer AS n, slot, booking_id"
            " FROM booking.bookings WHERE status = 'PENDING'"
        )
        connection.execute("CREATE UNIQUE INDEX ON ordered (n)")
        connection.execute("VACUUM ANALYZE ordered")
    return _pgbench(server, url, "confirm.sql", 1, ["--transactions", str(number)])


def _pgbench(server: EmbeddedPostgres, url: str, script: str, clients: int, length: list[str]) -> float:
    pgbench = server.binaries / "pgbench"
    if not pgbench.exists():
        raise BenchmarkFailed(f"there is no pgbench in {server.binaries}")
    jobs = ["--client", str(clients), "--jobs", str(min(2, clients))]
    command = [str(pgbench), "--no-vacuum", *jobs, "--protocol", "prepared", "--define", "n=0"]
    done = subprocess.run(
        [*command, *length, "--file", str(_SQL / script), url], capture_output=True, text=True, timeout=300
    )
    found = re.search(r"^tps = ([0-9.]+)", done.stdout, re.MULTILINE)
    failed = re.search(r"^number of failed transactions: ([0-9]+)", done.stdout, re.MULTILINE)
    if done.returncode or found is None or (failed is not None and int(failed[1])):
        raise BenchmarkFailed(f"pgbench failed: {(done.stderr or done.stdout).strip()}")
    return float(found[1])
