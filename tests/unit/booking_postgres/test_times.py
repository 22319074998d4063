"""Times leave the adapter in UTC, whatever zone the session shows them in."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from booking_postgres.driver.pipeline import in_utc

BERLIN = ZoneInfo("Europe/Berlin")


def test_ten_minutes_stay_ten_minutes_when_summer_time_ends() -> None:
    before = datetime(2026, 10, 25, 2, 55, tzinfo=BERLIN)  # 00:55 in UTC, five minutes before the clock is set back

    [(moment, other)] = in_utc([(before, "text")])

    assert other == "text"
    assert moment == datetime(2026, 10, 25, 0, 55, tzinfo=UTC)
    assert moment.tzinfo is UTC
    assert moment + timedelta(minutes=10) == datetime(2026, 10, 25, 1, 5, tzinfo=UTC)


def test_what_is_no_time_is_left_alone() -> None:
    assert in_utc([(None, 1, "x"), ()]) == [(None, 1, "x"), ()]
