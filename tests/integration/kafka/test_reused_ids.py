"""One eventId for payments of two bookings, in two partitions and with two consumers: one is applied, one is kept."""

import json

from booking_core.application import get_booking
from booking_core.domain.booking import Booking
from booking_core.domain.lifecycle import Status
from tests.integration.kafka.payment_messages import Word, envelope, say, word
from tests.integration.kafka.service import Service, stop
from tests.support.postgres.stage import until

_PAIRS = 40


def test_one_of_two_payments_with_one_id_is_a_dead_letter(service: Service) -> None:
    stage = service.stage
    words: list[list[Word]] = [[], []]
    bookings: list[list[Booking]] = [[], []]
    ids = [envelope("payment.success", "none")["eventId"] for _ in range(_PAIRS)]
    for side in (0, 1):
        stage.set_up(seats=_PAIRS)
        for place, event_id in enumerate(ids):
            booking = stage.fixture.reserve(place, user=f"user-{side}-{place}")
            bookings[side].append(booking)
            paid = envelope("payment.success", booking.booking_id) | {"eventId": event_id}
            words[side].append(word(paid, booking.booking_id))

    def is_confirmed(booking: Booking) -> bool:
        return get_booking(booking.user_id, booking.booking_id, store=stage.store).status is Status.CONFIRMED

    with service.running("consume") as first, service.running("consume") as second:
        for side in (0, 1):
            say(service.servers, service.payments_topic, words[side], partition=side)
        until(lambda: len(service.letters()) >= _PAIRS, "one of each pair is a dead letter")
        stop([first, second])

    confirmed = [[is_confirmed(booking) for booking in of_side] for of_side in bookings]
    assert [one + other for one, other in zip(*confirmed, strict=True)] == [1] * _PAIRS
    letters = service.letters()
    assert {dict(each.headers)["reason"].split(b":")[0] for each in letters} == {b"EVENT_ID_REUSED"}
    assert {json.loads(each.value)["payload"]["bookingId"] for each in letters} == {
        str(booking.booking_id)
        for side in (0, 1)
        for booking, is_paid in zip(bookings[side], confirmed[side], strict=True)
        if not is_paid
    }
