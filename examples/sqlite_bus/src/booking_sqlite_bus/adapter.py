"""The entry point `sqlite` of the group `booking.event_bus`."""

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Final

from booking_core import InvalidValue
from booking_sqlite_bus.bus import SqliteEventBus

PATH: Final = "BOOKING_SQLITE_BUS_PATH"
RETENTION: Final = "BOOKING_SQLITE_BUS_RETENTION_DAYS"


def create(settings: Mapping[str, str]) -> SqliteEventBus:
    """The bus in the file that BOOKING_SQLITE_BUS_PATH names; connects to nothing yet. Reads no environment.

    Messages are kept for BOOKING_SQLITE_BUS_RETENTION_DAYS (7). Raises InvalidValue, naming the setting, if one is
    missing or cannot be.
    """
    if not settings.get(PATH):
        raise InvalidValue(PATH, "is not set, and must be: the file of the bus (for example /var/lib/booking/bus.db)")
    path = Path(settings[PATH])
    if not path.parent.is_dir():
        raise InvalidValue(PATH, f"is in a directory that does not exist: {path.parent}")
    return SqliteEventBus(path, keep=timedelta(days=_days(settings.get(RETENTION, "7"))))


def _days(written: str) -> float:
    try:
        days = float(written)
    except ValueError:
        days = 0.0
    if not 0 < days <= 36_500:
        raise InvalidValue(RETENTION, "must be a number of days above 0 (for example 7)")
    return days
