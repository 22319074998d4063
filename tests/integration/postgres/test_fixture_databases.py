"""What other tests rely on: each database is empty, or the copy asked for, separate, and gone afterwards."""

import psycopg

from tests.support.postgres.fixtures import FreshDatabase, database_name, databases


def test_databases_are_empty_separate_and_copied_on_demand(fresh_database: FreshDatabase) -> None:
    first, second = fresh_database(), fresh_database()
    with psycopg.connect(first) as connection:
        connection.execute("CREATE TABLE seat AS SELECT 7 AS number")
    with psycopg.connect(second) as connection:
        assert connection.execute("SELECT to_regclass('seat')").fetchone() == (None,)
    with psycopg.connect(fresh_database(template=database_name(first))) as connection:
        assert connection.execute("SELECT number FROM seat").fetchone() == (7,)


def test_databases_are_dropped_even_while_somebody_is_connected(postgres_url: str) -> None:
    with databases(postgres_url) as create:
        left, used = create(), create()
        forgotten = psycopg.connect(used)
    with psycopg.connect(postgres_url) as connection:
        existing = {name for (name,) in connection.execute("SELECT datname FROM pg_database")}
    assert existing.isdisjoint({database_name(left), database_name(used)})
    forgotten.close()
