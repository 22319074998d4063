"""The yardstick: the same reservation as one statement per round trip, by pgbench (`naive/` has its SQL)."""

import re
import subprocess
from pathlib import Path
from typing import Final

import psycopg

from benchmarks.ground import BenchmarkFailed, database
from booking_postgres_embedded import EmbeddedPostgres

CLIENTS: Final = 20
_SQL: Final = Path(__file__).with_name("naive")
# A client walks through 20,000 seats; its statements would meet its own seats again after these many.
_MOST_SECONDS: Final = 30


def reservations_per_second(server: EmbeddedPostgres, seconds: int) -> float:
    """Transactions a second of 20 clients, every one with seats and users of its own, in a database of their own."""
    pgbench = server.binaries / "pgbench"
    if not pgbench.exists():
        raise BenchmarkFailed(f"there is no pgbench in {server.binaries}")
    with database(server, "naive") as url:
        with psycopg.connect(url, autocommit=True) as connection:
            for statement in (_SQL / "schema.sql").read_text().split(";"):
                if statement.strip():
                    connection.execute(statement.encode())
            connection.execute("VACUUM ANALYZE")
            connection.execute("CHECKPOINT")
        command = [str(pgbench), "--no-vacuum", "--client", str(CLIENTS), "--jobs", "2", "--protocol", "prepared"]
        done = subprocess.run(
            [
                *command,
                "--define",
                "n=0",
                "--time",
                str(min(seconds, _MOST_SECONDS)),
                "--file",
                str(_SQL / "reserve.sql"),
                url,
            ],
            capture_output=True,
            text=True,
        )
    found = re.search(r"^tps = ([0-9.]+)", done.stdout, re.MULTILINE)
    if done.returncode or found is None:
        raise BenchmarkFailed(f"pgbench failed: {(done.stderr or done.stdout).strip()}")
    return float(found.group(1))
