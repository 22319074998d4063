"""What customers do with orders. Each function is one transaction of the shop's: order and booking, or neither."""

from collections.abc import Sequence
from decimal import Decimal
from uuid import UUID

from attrs import frozen
from sqlalchemy import Connection, Engine, insert, select, update
from sqlalchemy.exc import IntegrityError

from booking_core import Booking, BookingNotFound, ConfirmPayment, Reserve, confirm_payment, get_booking, reserve
from booking_postgres.store import PostgresStore
from fastapi_shop.tables import orders, vouchers
from fastapi_shop.transactions import in_transaction


class OrderRefused(Exception):
    """The shop itself says no; `code` says why."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


@frozen
class Orders:
    """The shop's orders. `store` is the library's store over the same engine."""

    engine: Engine
    store: PostgresStore

    def place(
        self, number: str, customer: str, event_id: UUID, seat_ids: Sequence[UUID], voucher: str | None = None
    ) -> Booking:
        """Order these seats, held until the booking expires, and use up the voucher: all of it or nothing.

        Raises OrderRefused, and what `reserve` raises; then the voucher is as good as before.
        """

        def work(connection: Connection) -> Booking:
            # What may take long or be refused comes first: from `reserve` to the commit the seats are locked.
            if voucher is not None:
                _use_up(connection, voucher, number)
            wanted = Reserve(user_id=customer, event_id=event_id, seat_ids=tuple(seat_ids), correlation_id=number)
            booking = reserve(wanted, store=self.store.on(connection))
            row = {"number": number, "customer": customer, "booking_id": booking.booking_id}
            connection.execute(insert(orders).values(row))
            return booking

        try:
            return in_transaction(self.engine, work)
        except IntegrityError as error:
            raise OrderRefused("ORDER_EXISTS") from error

    def show(self, number: str, customer: str) -> Booking:
        """The booking of this customer's order, as it is now. Raises BookingNotFound."""
        with self.engine.connect() as connection:
            return get_booking(customer, _booking_id(connection, number), store=self.store.on(connection))

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


def _use_up(connection: Connection, voucher: str, number: str) -> None:
    unused = (vouchers.c.code == voucher) & vouchers.c.used_for.is_(None)
    if connection.execute(update(vouchers).where(unused).values(used_for=number)).rowcount == 0:
        raise OrderRefused("VOUCHER_NOT_VALID")


def _booking_id(connection: Connection, number: str) -> UUID:
    found = connection.execute(select(orders.c.booking_id).where(orders.c.number == number)).scalar()
    if found is None:
        raise BookingNotFound()
    booking_id: UUID = found
    return booking_id
