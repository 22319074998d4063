"""Another service that uses ours as a library: URL EVENT SEAT USER. One booking's life, each step in a transaction.

It says `written` when a step is written, and commits it when it is sent a line; then it says `committed`.
"""

import sys
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import create_engine

from booking_core import CancelBooking, ConfirmPayment, Reserve, cancel, confirm_payment, reserve
from booking_core.ports import Store
from booking_postgres.store import PostgresStore

Step = Callable[[Store], Any]


def steps(event_id: UUID, seat_id: UUID, user: str) -> Sequence[Step]:
    """They make events 1 to 5: created, confirmed, a refund of the second payment, cancelled, and its refund."""
    made: list[UUID] = []

    def book(store: Store) -> None:
        order = Reserve(user_id=user, event_id=event_id, seat_ids=(seat_id,), correlation_id=user)
        made.append(reserve(order, store=store).booking_id)

    def pay(payment_id: str) -> Step:
        def paid(store: Store) -> None:
            command = ConfirmPayment(
                message_id=uuid4(),
                booking_id=made[0],
                payment_id=payment_id,
                correlation_id=user,
                amount=Decimal("75.00"),
                currency="USD",
            )
            confirm_payment(command, store=store)

        return paid

    def give_back(store: Store) -> None:
        cancel(CancelBooking(user_id=user, booking_id=made[0], correlation_id=user), store=store)

    return [book, pay("pay-1"), pay("pay-2"), give_back]


if __name__ == "__main__":
    url, event, seat, customer = sys.argv[1:]
    engine = create_engine(url.replace("postgresql://", "postgresql+psycopg://", 1))
    ours = PostgresStore(engine)
    for step in steps(UUID(event), UUID(seat), customer):
        with engine.begin() as connection:
            step(ours.on(connection))
            print("written", flush=True)
            sys.stdin.readline()
        print("committed", flush=True)
