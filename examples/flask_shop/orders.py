"""What customers do with orders. Each function is one transaction of the shop's: order and booking, or neither."""

from collections.abc import Sequence
from decimal import Decimal
from uuid import UUID

from attrs import frozen
from sqlalchemy import Connection, Engine, insert, select
from sqlalchemy.exc import IntegrityError

from booking_core import (
    Booking,
    BookingNotFound,
    CancelBooking,
    ConfirmPayment,
    Reserve,
    cancel,
    confirm_payment,
    get_booking,
    reserve,
)
from booking_postgres.store import PostgresStore
from flask_shop.tables import orders
from flask_shop.transactions import in_transaction


class OrderExists(Exception):
    """There is an order with this number already."""


@frozen
class Orders:
    """The shop's orders. `store` is the library's store over the same engine."""

    engine: Engine
    store: PostgresStore

    def place(self, number: str, customer: str, event_id: UUID, seat_ids: Sequence[UUID]) -> Booking:
        """Order these seats, held until the booking expires. Raises OrderExists, and what `reserve` raises."""

        def work(connection: Connection) -> Booking:
            wanted = Reserve(user_id=customer, event_id=event_id, seat_ids=tuple(seat_ids), correlation_id=number)
            booking = reserve(wanted, store=self.store.on(connection))
            # From here to the commit the seats are locked: keep it short, and call nobody else.
            row = {"number": number, "customer": customer, "booking_id": booking.booking_id}
            connection.execute(insert(orders).values(row))
            return booking

        try:
            return in_transaction(self.engine, work)
        except IntegrityError as error:
            raise OrderExists from error

    def show(self, number: str, customer: str) -> Booking:
        """The booking of this customer's order, as it is now. Raises BookingNotFound."""
        with self.engine.connect() as connection:
            return get_booking(customer, _booking_id(connection, number), store=self.store.on(connection))

    def cancel(self, number: str, customer: str) -> Booking:
        """Give the seats back. Raises BookingNotFound, PaymentInProgress, BookingNotCancellable."""

        def work(connection: Connection) -> Booking:
            booking_id = _booking_id(connection, number)
            wanted = CancelBooking(user_id=customer, booking_id=booking_id, correlation_id=number)
            return cancel(wanted, store=self.store.on(connection))

        return in_transaction(self.engine, work)

    def pay(self, number: str, message_id: UUID, payment_id: str, amount: Decimal, currency: str) -> bool:
        """The payment provider says that the money has come; False if it said so before (`message_id`).

        Money for a hold that is over, or of the wrong amount, is never lost: the library asks for it back with an
        event `booking.refund_requested`. Raises BookingNotFound.
        """

        def work(connection: Connection) -> bool:
            said = ConfirmPayment(
                message_id=message_id,
                booking_id=_booking_id(connection, number),
                payment_id=payment_id,
                correlation_id=number,
                amount=amount,
                currency=currency,
            )
            return confirm_payment(said, store=self.store.on(connection))

        return in_transaction(self.engine, work)


def _booking_id(connection: Connection, number: str) -> UUID:
    found = connection.execute(select(orders.c.booking_id).where(orders.c.number == number)).scalar()
    if found is None:
        raise BookingNotFound()
    booking_id: UUID = found
    return booking_id
