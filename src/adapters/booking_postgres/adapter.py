"""The factory that the entry point `booking.store` names."""

from collections.abc import Mapping

from booking_postgres.driver.pool import create_pool
from booking_postgres.store import PostgresStore


def create(settings: Mapping[str, str]) -> PostgresStore:
    """Create a store over BOOKING_DATABASE_URL with at most BOOKING_DB_CONNECTIONS connections; connects lazily.

    Raises ValueError for a malformed URL.
    """
    try:
        engine = create_pool(settings["BOOKING_DATABASE_URL"], int(settings.get("BOOKING_DB_CONNECTIONS", "1")))
    except ValueError as error:
        raise ValueError(f"BOOKING_DATABASE_URL {error}") from None
    return PostgresStore(engine, idempotency_hours=float(settings.get("BOOKING_IDEMPOTENCY_HOURS", "24")))
