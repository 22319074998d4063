"""What an operator is told when the database does not let us in: one line, with what it says, and no password."""

from uuid import uuid4

import psycopg
import pytest
from sqlalchemy.engine import make_url

from tests.support.postgres.stage import open_store

ADVICE = "the database cannot be reached: check BOOKING_DATABASE_URL and that PostgreSQL runs"
GRANT = "grant that right to the user in BOOKING_DATABASE_URL"


def trouble_at(url: str) -> str:
    store = open_store(url, 1)
    health = store.upkeep.health()
    store.close()
    assert not health.is_ready
    return str(health)


def test_a_wrong_password(postgres_url: str) -> None:
    url = make_url(postgres_url).set(password="no-such-password").render_as_string(hide_password=False)

    trouble = trouble_at(url)

    assert trouble.startswith(f"{ADVICE} (it says: password authentication failed for user")
    assert "no-such-password" not in trouble
    assert len(trouble.splitlines()) == 1


def test_a_database_that_does_not_exist(postgres_url: str) -> None:
    url = make_url(postgres_url).set(database="nowhere").render_as_string(hide_password=False)

    assert trouble_at(url) == f'{ADVICE} (it says: database "nowhere" does not exist)'


def test_a_server_that_is_not_there(postgres_url: str) -> None:
    url = make_url(postgres_url).set(port=1).render_as_string(hide_password=False)

    assert trouble_at(url) == ADVICE


def test_a_user_without_rights(database_url: str) -> None:
    role = f"poor_{uuid4().hex}"
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(f"CREATE ROLE {role} LOGIN PASSWORD 'poor-password'")
    try:
        url = make_url(database_url).set(username=role, password="poor-password").render_as_string(hide_password=False)

        assert trouble_at(url) == f"the database says permission denied for schema booking: {GRANT}"
        store = open_store(url, 1)
        with pytest.raises(PermissionError, match=f"^the database says permission denied for database .*: {GRANT}$"):
            store.upkeep.migrate()
        store.close()
    finally:
        with psycopg.connect(database_url, autocommit=True) as connection:
            connection.execute(f"DROP ROLE {role}")
