"""Customers who reserve and give back, and the Payment Service that speaks of their bookings, while things die."""

import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from queue import Empty, SimpleQueue
from random import Random
from typing import Final
from uuid import UUID

from attrs import define, field

from booking_core.application import cancel
from booking_core.domain.booking import Booking
from booking_core.domain.commands import CancelBooking
from booking_core.domain.errors import BusUnavailable, ServiceBusy
from booking_core.ports import Message
from tests.integration.chaos.payment_service import story_of
from tests.integration.chaos.stage import Stage

PATIENCE_SECONDS: Final = 120.0
_CUSTOMERS: Final = 2
_PACE_SECONDS: Final = 0.04
_GIVEN_BACK: Final = 0.1
_SAID_AGAIN: Final = 0.05


@define
class Acknowledged:
    """What customers and the Payment Service were told is done, and so must never be lost."""

    booked: dict[UUID, Booking] = field(factory=dict)
    given_back: set[UUID] = field(factory=set)
    said: list[Message] = field(factory=list)


class Load:
    """Goes on until the end of its `with` block; then what was acknowledged is complete.

    One customer for each booking. Who gives a booking back does so before the Payment Service speaks of it, so that the
    messages alone decide what becomes of every booking. A reservation that failed is not tried again: it is there or
    it is not.
    """

    def __init__(self, stage: Stage, moments: Random) -> None:
        self.acknowledged = Acknowledged()
        self._stage = stage
        self._seeds = [moments.random() for _ in range(_CUSTOMERS + 1)]
        self._over = threading.Event()
        self._to_pay: SimpleQueue[Booking] = SimpleQueue()

    @contextmanager
    def goes_on(self) -> Iterator[Acknowledged]:
        """While the block runs. Raises what a customer met that is no outage."""
        with ThreadPoolExecutor(_CUSTOMERS + 1) as pool:
            customers = [pool.submit(self._customer, Random(seed)) for seed in self._seeds[:-1]]
            payments = pool.submit(self._payment_service, customers, Random(self._seeds[-1]))
            try:
                yield self.acknowledged
            finally:
                self._over.set()
            for customer in customers:
                customer.result(PATIENCE_SECONDS)
            payments.result(PATIENCE_SECONDS)

    def _customer(self, chance: Random) -> None:
        while not self._over.wait(_PACE_SECONDS) and self._stage.seats:
            try:
                booking = self._stage.reserve(self._stage.seats.pop())
            except ServiceBusy:
                continue
            self.acknowledged.booked[booking.booking_id] = booking
            if chance.random() < _GIVEN_BACK:
                self._give_back(booking)
                self.acknowledged.given_back.add(booking.booking_id)
            self._to_pay.put(booking)

    def _give_back(self, booking: Booking) -> None:
        command = CancelBooking(user_id=booking.user_id, booking_id=booking.booking_id, correlation_id="chaos")
        give_up_at = time.monotonic() + PATIENCE_SECONDS
        while True:
            try:
                cancel(command, store=self._stage.store)
            except ServiceBusy:
                assert time.monotonic() < give_up_at, "the database never came back"
                time.sleep(_PACE_SECONDS)
            else:
                return

    def _payment_service(self, customers: list[Future[None]], chance: Random) -> None:
        """Say each booking's story in order, the stories of a batch told in turns; now and then repeat an old word."""
        said = self.acknowledged.said
        while True:
            last = all(customer.done() for customer in customers)
            messages = _in_turns([story_of(booking, chance) for booking in self._waiting()], chance)
            messages += [each for each in chance.sample(said, min(10, len(said))) if chance.random() < _SAID_AGAIN]
            if messages:
                self._say(messages)
                said += messages
            elif last:
                return
            time.sleep(_PACE_SECONDS)

    def _waiting(self) -> list[Booking]:
        found: list[Booking] = []
        while len(found) < 50:
            try:
                found.append(self._to_pay.get_nowait())
            except Empty:
                break
        return found

    def _say(self, messages: list[Message]) -> None:
        give_up_at = time.monotonic() + PATIENCE_SECONDS
        while True:
            try:
                return self._stage.bus.publish(self._stage.payments_topic, messages)
            except BusUnavailable:
                assert time.monotonic() < give_up_at, "the broker never came back"
                time.sleep(_PACE_SECONDS)


def _in_turns(stories: list[list[Message]], chance: Random) -> list[Message]:
    """All of them, each in its own order."""
    told: list[Message] = []
    left = [list(reversed(story)) for story in stories if story]
    while left:
        story = chance.choice(left)
        told.append(story.pop())
        left = [each for each in left if each]
    return told
