"""An event on sale in the shop's database, put there as `booking catalog load` would."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Final
from uuid import UUID, uuid4

import psycopg
from attrs import define, field

from booking_core import SaleStatus, Seat, TicketedEvent
from booking_postgres.adapter import create

SEATS: Final = 20


@define
class Hall:
    """The seats of an event at 75.00 USD each, and a look into the database at `url`."""

    url: str
    event_id: UUID = field(factory=uuid4)
    seat_ids: list[str] = field(factory=list)

    def open(self) -> None:
        """Put the event on sale."""
        event = TicketedEvent(
            event_id=self.event_id,
            name="A concert",
            starts_at=datetime.now(UTC) + timedelta(days=40),
            status=SaleStatus.ON_SALE,
            currency="USD",
        )
        seats = [Seat(seat_id=uuid4(), row="A", number=number, price=Decimal("75.00")) for number in range(SEATS)]
        store = create({"BOOKING_DATABASE_URL": self.url})
        with store.unit_of_work() as uow:
            uow.events.put(event, ages=False, complete=True)
            uow.events.put_seats(event.event_id, seats)
            uow.commit()
        store.close()
        self.seat_ids = [str(seat.seat_id) for seat in seats]

    def ask(self, query: str) -> list[tuple[Any, ...]]:
        """The rows of a query."""
        with psycopg.connect(self.url) as connection:
            return connection.execute(query).fetchall()

    def do(self, statement: str) -> None:
        """Change something behind everybody's back."""
        with psycopg.connect(self.url) as connection:
            connection.execute(statement)

    def count(self, table: str) -> int:
        """How many rows it has."""
        [(number,)] = self.ask(f"SELECT count(*) FROM {table}")
        return int(number)

    def end_the_payment_window(self) -> None:
        """As if ten minutes had passed for every hold."""
        by = "interval '11 minutes'"
        self.do(
            f"UPDATE booking.bookings SET created_at = created_at - {by}, expires_at = expires_at - {by},"
            f" deadline = deadline - {by}"
        )
        self.do(f"UPDATE booking.claims SET held_until = held_until - {by} WHERE ended_at IS NULL")
        self.do(f"UPDATE booking.holds SET deadline = deadline - {by}")
