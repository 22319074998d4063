"""What we publish, byte for byte: names, keys and forms of the wire, as other services read them."""

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

import pytest
from attrs.exceptions import FrozenInstanceError

from booking_core.domain.events import (
    BookingCancelled,
    BookingConfirmed,
    BookingCreated,
    BookingExpired,
    DomainEvent,
    EventCancelled,
    RefundRequested,
)
from booking_core.domain.identity import slot_of_event
from booking_core.domain.values import CancellationReason, Money, RefundReason
from booking_core.messages.envelopes import (
    PUBLISHED,
    envelope_of,
    event_type_of,
    key_of,
    payload_of,
    rfc3339,
    slot_of,
)
from tests.support.builders import EVENT_ID, SEAT_IDS, at, usd

BOOKING_ID: Final = UUID("019543a0-0000-7abc-8000-000000000001")
MESSAGE_ID: Final = UUID("019543a0-0000-7000-8000-000000000002")
SAID: Final[dict[str, Any]] = {
    "message_id": MESSAGE_ID,
    "timestamp": at(0),
    "correlation_id": "corr-1",
    "sequence": 3,
}
OURS: Final = SAID | {"booking_id": BOOKING_ID, "user_id": "auth0|ann"}
WHO: Final = {"bookingId": "019543a0-0000-7abc-8000-000000000001", "userId": "auth0|ann"}
SEATS: Final = ["00000000-0000-4000-8000-00000000000a", "00000000-0000-4000-8000-00000000000b"]
ENDED: Final[dict[str, Any]] = {"reason": CancellationReason.EXPIRED, "released_seat_ids": SEAT_IDS}

EXAMPLES: Final[list[tuple[DomainEvent, str, dict[str, Any]]]] = [
    (
        BookingCreated(**OURS, event_id=EVENT_ID, seat_ids=SEAT_IDS, total=usd("150"), expires_at=at(10)),
        "booking.created",
        WHO
        | {
            "eventId": "018f2b6a-7c1d-7e3a-9b4c-5d6e7f809101",
            "seatIds": SEATS,
            "totalAmount": Decimal("150.00"),
            "currency": "USD",
            "expiresAt": "2026-03-01T10:10:00Z",
        },
    ),
    (
        BookingConfirmed(**OURS, ticket_reference="0" * 28, confirmed_at=at(2)),
        "booking.confirmed",
        WHO | {"ticketReference": "0" * 28, "confirmedAt": "2026-03-01T10:02:00Z"},
    ),
    (BookingCancelled(**OURS, **ENDED), "booking.cancelled", WHO | {"reason": "EXPIRED", "releasedSeatIds": SEATS}),
    (BookingExpired(**OURS, **ENDED), "booking.expired", WHO | {"reason": "EXPIRED", "releasedSeatIds": SEATS}),
    (
        RefundRequested(
            **OURS,
            payment_id="pay-1",
            refund=Money(amount=Decimal("1.5"), currency="KWD"),
            reason=RefundReason.DUPLICATE_PAYMENT,
        ),
        "booking.refund_requested",
        WHO | {"paymentId": "pay-1", "amount": Decimal("1.500"), "currency": "KWD", "reason": "DUPLICATE_PAYMENT"},
    ),
    (
        EventCancelled(**SAID, event_id=EVENT_ID, reason="storm", cancelled_at=at(1), affected_bookings=12),
        "event.cancelled",
        {
            "eventId": "018f2b6a-7c1d-7e3a-9b4c-5d6e7f809101",
            "reason": "storm",
            "cancelledAt": "2026-03-01T10:01:00Z",
            "affectedBookings": 12,
        },
    ),
]


@pytest.mark.parametrize(("said", "event_type", "payload"), EXAMPLES, ids=[example[1] for example in EXAMPLES])
def test_the_envelope_and_the_payload_are_exactly_these(
    said: DomainEvent, event_type: str, payload: dict[str, Any]
) -> None:
    assert envelope_of(said) == {
        "eventId": "019543a0-0000-7000-8000-000000000002",
        "eventType": event_type,
        "timestamp": "2026-03-01T10:00:00Z",
        "version": "1.0",
        "correlationId": "corr-1",
        "payload": payload,
    }
    # Equal numbers may be written differently: on the wire they have the currency's decimals.
    assert {key: str(each) for key, each in payload_of(said).items()} == {
        key: str(each) for key, each in payload.items()
    }


@pytest.mark.parametrize(("said", "event_type"), [example[:2] for example in EXAMPLES], ids=[e[1] for e in EXAMPLES])
def test_messages_are_keyed_and_placed_by_their_booking(said: DomainEvent, event_type: str) -> None:
    if event_type == "event.cancelled":
        assert (key_of(said), slot_of(said)) == (EVENT_ID, slot_of_event(EVENT_ID))
    else:
        assert (key_of(said), slot_of(said)) == (BOOKING_ID, 0xABC)


def test_every_type_is_published_under_its_name() -> None:
    assert {event_type_of(said): type(said) for said, _, _ in EXAMPLES} == PUBLISHED
    assert {example[1]: type(example[0]) for example in EXAMPLES} == PUBLISHED


def test_the_reasons_are_the_closed_sets_of_the_contract() -> None:
    assert {reason.value for reason in RefundReason} == set(
        "USER_CANCELLED EVENT_CANCELLED LATE_PAYMENT DUPLICATE_PAYMENT AMOUNT_MISMATCH".split()
    )
    assert {reason.value for reason in CancellationReason} == set(
        "USER_CANCELLED PAYMENT_FAILED EXPIRED EVENT_CANCELLED".split()
    )


@pytest.mark.parametrize(
    ("moment", "written"),
    [
        (datetime(2026, 3, 1, 10, 0, tzinfo=UTC), "2026-03-01T10:00:00Z"),
        (datetime(2026, 3, 1, 10, 0, 0, 1, tzinfo=UTC), "2026-03-01T10:00:00.000001Z"),
        (datetime(2026, 3, 1, 0, 30, tzinfo=timezone(timedelta(hours=2))), "2026-02-28T22:30:00Z"),
        (datetime(2026, 3, 1, 0, 30, tzinfo=timezone(-timedelta(hours=5, minutes=30))), "2026-03-01T06:00:00Z"),
    ],
)
def test_times_are_written_in_utc(moment: datetime, written: str) -> None:
    assert rfc3339(moment) == written


def test_events_are_frozen_and_equal_by_content() -> None:
    said = EXAMPLES[1][0]
    assert said == BookingConfirmed(**OURS, ticket_reference="0" * 28, confirmed_at=at(2))
    assert BookingCancelled(**OURS, **ENDED) != BookingExpired(**OURS, **ENDED)
    with pytest.raises(FrozenInstanceError):
        said.sequence = 4  # type: ignore[misc]
