"""Sample events for `booking dev`: the same ids and seats at every start, with start times in the future."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Final
from uuid import UUID, uuid5

import msgspec
from attrs import frozen

from booking_core.messages.envelopes import rfc3339
from booking_service.catalog_file import LoadedEvent, parse_catalog

_NAMESPACE: Final = UUID("b00c1e5d-0000-5000-8000-5ea75ea75ea7")
_LETTERS: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


@frozen(kw_only=True)
class _Sample:
    """Description of a sample event without ids. `prices` go from front to back, each for the same number of rows."""

    key: str
    name: str
    starts_in: timedelta
    rows: int
    seats_per_row: int
    prices: Sequence[Decimal]

    @property
    def event_id(self) -> UUID:
        return uuid5(_NAMESPACE, self.key)


_HALL: Final = _Sample(
    key="hall",
    name="Symphony Gala, Great Hall",
    starts_in=timedelta(days=10),
    rows=50,
    seats_per_row=40,
    prices=[Decimal(each) for each in ("120.00", "95.00", "75.00", "55.00", "35.00")],
)
_SOON: Final = _Sample(
    key="soon",
    name="Jazz Night, Cellar Club",
    starts_in=timedelta(hours=20),
    rows=5,
    seats_per_row=12,
    prices=[Decimal("28.50")],
)
_LATER: Final = _Sample(
    key="later",
    name="A Midsummer Night's Dream, Garden Stage",
    starts_in=timedelta(days=40),
    rows=12,
    seats_per_row=20,
    prices=[Decimal(each) for each in ("48.00", "36.00", "24.00")],
)

HALL_ID: Final = _HALL.event_id
"""Id of the event in the large hall, with 2,000 seats."""


def sample_events(now: datetime) -> Sequence[LoadedEvent]:
    """Make the events: in 10 days, in 20 hours (cancelling gives no refund) and in 40 days.

    They are parsed like a file of `booking catalog load`.
    """
    document = {"events": [_written(sample, now) for sample in (_HALL, _SOON, _LATER)]}
    return parse_catalog(msgspec.json.Encoder(decimal_format="number").encode(document))


def _written(sample: _Sample, now: datetime) -> dict[str, Any]:
    return {
        "eventId": sample.event_id,
        "name": sample.name,
        "startsAt": rfc3339((now.astimezone(UTC) + sample.starts_in).replace(microsecond=0)),
        "currency": "EUR",
        "seats": [
            {
                "seatId": uuid5(sample.event_id, f"{row}/{number}"),
                "row": _row_name(row, sample.rows),
                "number": number,
                "price": sample.prices[row * len(sample.prices) // sample.rows],
            }
            for row in range(sample.rows)
            for number in range(1, sample.seats_per_row + 1)
        ],
    }


def _row_name(row: int, rows: int) -> str:
    """Name a row by a letter, or by a number if there are more than 26 rows; names sort like the rows."""
    return _LETTERS[row] if rows <= len(_LETTERS) else f"{row + 1:02}"
