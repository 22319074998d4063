"""Types of parameters: times, places of an event, references of tickets."""

from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

import click

from booking_core.domain.identity import ticket_reference_in
from booking_core.ports.operators import SeatPlace


class _Moment(click.ParamType[datetime]):
    """A time in RFC 3339; a time without a zone is UTC."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        """Parse the time; the result has a zone."""
        if isinstance(value, datetime):
            return value
        try:
            moment = datetime.fromisoformat(value)
        except ValueError:
            self.fail(f"{value!r} is not a time like 2026-03-01T10:00:00Z", param, ctx)
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


class _Place(click.ParamType[SeatPlace]):
    """A place of an event as EVENT/ROW/NUMBER; the row's name may contain slashes."""

    name = "place"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> SeatPlace:
        """Parse the place."""
        if isinstance(value, SeatPlace):
            return value
        event, _, place = str(value).partition("/")
        row, slash, number = place.rpartition("/")
        if not slash or not (number.isascii() and number.isdecimal()):
            self.fail(f"{value!r} is not EVENT/ROW/NUMBER", param, ctx)
        try:
            return SeatPlace(event_id=UUID(event), row=row, number=int(number))
        except ValueError:
            self.fail(f"{event!r} is not the id of an event", param, ctx)


class _Ticket(click.ParamType[str]):
    """A ticket reference as it was typed or scanned: case, spaces and dashes do not matter."""

    name = "reference"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the reference as it was issued."""
        reference = ticket_reference_in(str(value))
        if reference is None:
            self.fail(f"{value!r} cannot be a ticket reference of this service", param, ctx)
        return reference


MOMENT: Final = _Moment()
PLACE: Final = _Place()
TICKET: Final = _Ticket()
