"""The store from settings: nothing is connected, and a URL that cannot be one is said so at once."""

import pytest
from sqlalchemy import QueuePool

from booking_core.ports import HealthKind
from booking_postgres.adapter import create

NOWHERE = "postgresql://nobody:secret@127.0.0.1:1/none"


def test_it_connects_to_nothing_and_takes_as_many_connections_as_it_may() -> None:
    store = create({"BOOKING_DATABASE_URL": NOWHERE, "BOOKING_DB_CONNECTIONS": "7", "BOOKING_IDEMPOTENCY_HOURS": "1.5"})

    pool = store.engine.pool
    assert isinstance(pool, QueuePool)
    assert (pool.size(), pool._max_overflow, pool.checkedout()) == (7, 0, 0)
    assert store.idempotency_hours == 1.5
    store.close()
    store.close()


def test_one_connection_and_a_day_are_what_is_not_said() -> None:
    store = create({"BOOKING_DATABASE_URL": NOWHERE})

    assert isinstance(store.engine.pool, QueuePool)
    assert (store.engine.pool.size(), store.idempotency_hours) == (1, 24)


def test_the_driver_is_ours_whatever_the_url_says() -> None:
    for scheme in ("postgresql", "postgres", "postgresql+psycopg2"):
        store = create({"BOOKING_DATABASE_URL": NOWHERE.replace("postgresql", scheme)})
        assert store.engine.driver == "psycopg"


@pytest.mark.parametrize("url", ["", "nonsense", "postgresql://h:port/db", f"{NOWHERE}?prepare_threshold=often"])
def test_a_url_that_cannot_be_one_is_a_value_error(url: str) -> None:
    with pytest.raises(ValueError, match=r"\w") as error:
        create({"BOOKING_DATABASE_URL": url})

    assert "secret" not in str(error.value)


def test_an_unreachable_database_is_trouble_in_one_line_without_the_password() -> None:
    store = create({"BOOKING_DATABASE_URL": NOWHERE})

    health = store.upkeep.health()
    trouble = str(health)

    assert health.kind is HealthKind.UNREACHABLE
    assert "BOOKING_DATABASE_URL" in trouble
    assert "secret" not in trouble
    assert "\n" not in trouble
