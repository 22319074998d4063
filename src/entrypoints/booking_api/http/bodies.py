"""JSON bodies: of requests, one schema each, decoded once; of responses, the envelope (spec, section 7) and bookings.

A request body is an object of exactly the fields of its schema; any other is an InvalidRequest (400). In responses,
times are in UTC with `Z`, ids in lower case, money is a number with all the currency's decimals, and keys that do not
apply are left out. Without Flask: commands print the same JSON.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from hashlib import sha256
from operator import itemgetter
from typing import Any, Final, Generic, TypeVar
from uuid import UUID

from attrs import frozen
from msgspec import DecodeError, Struct, ValidationError
from msgspec.json import Decoder, Encoder

from booking_api.http.body_faults import all_faults, faults_in, plain_document
from booking_api.http.query import InvalidRequest
from booking_core import Booking, IdempotencyKey, Money, Payment
from booking_core.domain.values import written_in
from booking_core.ports import Page

IDEMPOTENCY_HEADER: Final = "Idempotency-Key"

T = TypeVar("T", bound=Struct)
# Bytes: a reservation of ten seats has about 500.
_LONGEST_ON_THE_LOOP: Final = 4096
_KEY: Final = re.compile("[ -~]{1,255}")
_BLANKS: Final = b" \t\r\n"
_CANONICAL: Final = Encoder(order="sorted")
_ENCODER: Final = Encoder(decimal_format="number")


class CreateBooking(Struct, forbid_unknown_fields=True, frozen=True, rename="camel"):
    """`POST /api/v1/bookings`."""

    event_id: UUID
    seat_ids: list[UUID]


class CancelEventBody(Struct, forbid_unknown_fields=True, frozen=True):
    """`POST /api/v1/events/{eventId}/cancel`."""

    reason: str


class VerifyTicketBody(Struct, forbid_unknown_fields=True, frozen=True, rename="camel"):
    """`POST /api/v1/tickets/verify`."""

    ticket_reference: str


@frozen
class Body(Generic[T]):
    """A valid body: its `fields`, and its `canonical` JSON, which is equal for equal documents.

    Neither the order of fields nor blanks count; the spelling of values does (an id in upper case is another text).
    """

    fields: T
    canonical: bytes


_CREATE_BOOKING: Final = Decoder(CreateBooking)
_CANCEL_EVENT: Final = Decoder(CancelEventBody)
_VERIFY_TICKET: Final = Decoder(VerifyTicketBody)


def decode_create_booking(raw: bytes) -> Body[CreateBooking] | None:
    """Decode the body of a reservation without regard to its Content-Type; None if it is invalid or unusually long.

    For the gateway, which passes the result on as DECODED_BODY. It runs on the event loop, so it neither lists
    faults nor decodes a long body: the route does both, in a thread.
    """
    if len(raw) > _LONGEST_ON_THE_LOOP:
        return None
    try:
        return _checked(_CREATE_BOOKING, raw)
    except (DecodeError, ValueError, RecursionError):  # InvalidRequest and UnicodeDecodeError are ValueErrors
        return None


def create_booking_body(raw: bytes) -> Body[CreateBooking]:
    """The reservation. The command checks whether seats are named twice, or not at all."""
    return _understood(_CREATE_BOOKING, raw)


def cancel_event_body(raw: bytes) -> Body[CancelEventBody]:
    """Why an event is cancelled."""
    return _understood(_CANCEL_EVENT, raw)


def verify_ticket_body(raw: bytes) -> Body[VerifyTicketBody]:
    """The text that was scanned or typed at the door."""
    return _understood(_VERIFY_TICKET, raw)


def check_content_type(content_type: str | None) -> None:
    """Raise InvalidRequest for a body of another declared type than JSON; without a type it counts as JSON."""
    if content_type and content_type.partition(";")[0].strip().lower() != "application/json":
        raise InvalidRequest("Content-Type", "must be application/json")


def idempotency_key(header: str | None, user_id: str, operation: str, body: Body[Any]) -> IdempotencyKey | None:
    """The key of a request with this `Idempotency-Key` header, None without one. `operation` is its method and path.

    Raises InvalidRequest unless the header is 1 to 255 printable ASCII characters.
    """
    if header is None:
        return None
    if not _KEY.fullmatch(header):
        raise InvalidRequest(IDEMPOTENCY_HEADER, "must be 1 to 255 printable ASCII characters")
    fingerprint = sha256(body.canonical).hexdigest()
    return IdempotencyKey(user_id=user_id, operation=operation, key=header, fingerprint=fingerprint)


def _understood(decoder: Decoder[T], raw: bytes) -> Body[T]:
    try:
        return _checked(decoder, raw)
    except ValidationError as error:
        raise all_faults(decoder.type, raw, error) from None
    except UnicodeDecodeError:
        raise InvalidRequest("body", "must be in UTF-8") from None
    except InvalidRequest:
        raise
    except (DecodeError, ValueError):
        raise InvalidRequest("body", "must be well-formed JSON") from None


def _checked(decoder: Decoder[T], raw: bytes) -> Body[T]:
    decoded = decoder.decode(raw)
    canonical = _CANONICAL.encode(decoded)
    # Equal but for blanks: then no field is given twice, and ids are in canonical form, which the decoder ignores.
    if raw.translate(None, _BLANKS) == canonical:
        return Body(decoded, canonical)
    # The decoder has limited the depth and rejected NaN; this one rejects a field that is given twice.
    document = plain_document(raw)
    if faults := faults_in(decoder.type, document):
        raise InvalidRequest.of_all(faults)
    return Body(decoded, _CANONICAL.encode(document))


def success_body(data: Any, **beside: Any) -> bytes:
    """The body of a success, in UTF-8: `{"success": true, "data": …}`; `beside` stands next to `data`."""
    return _ENCODER.encode({"success": True, "data": data, **beside})


def failure_body(code: str, message: str, details: Mapping[str, Any] | None = None) -> bytes:
    """The body of a failure, in UTF-8: `{"success": false, "error": …}`; without details `{}` stands for them."""
    return _ENCODER.encode({"success": False, "error": {"code": code, "message": message, "details": details or {}}})


def utc(moment: datetime) -> datetime:
    """The same moment in UTC, which the encoder writes as `Z`."""
    return moment.astimezone(UTC)


def booking_json(booking: Booking) -> dict[str, Any]:
    """A booking as its owner sees it. `seats` are in reading order, `refunds` by the time of the request."""
    currency = booking.total.currency
    written: dict[str, Any] = {
        "bookingId": booking.booking_id,
        "eventId": booking.event_id,
        "status": booking.status.value,
        "totalAmount": booking.total.written,
        "currency": currency,
        "createdAt": utc(booking.created_at),
        "expiresAt": utc(booking.expires_at),
        "seats": [
            {
                "seatId": seat.seat_id,
                "row": seat.row,
                "number": seat.number,
                "price": written_in(seat.price, currency),
            }
            for seat in booking.seats
        ],
    }
    if booking.processing_started_at is not None:
        written["processingStartedAt"] = utc(booking.processing_started_at)
    if booking.confirmed_at is not None:
        written["confirmedAt"] = utc(booking.confirmed_at)
    if booking.ticket_reference is not None:
        written["ticketReference"] = booking.ticket_reference
    if booking.cancelled_at is not None:
        written["cancelledAt"] = utc(booking.cancelled_at)
    if booking.cancellation_reason is not None:
        written["cancellationReason"] = booking.cancellation_reason.value
    if booking.payments:
        written |= _refunds(booking)
    return written


def _refunds(booking: Booking) -> dict[str, Any]:
    asked = sorted(
        (
            (payment.refund_requested_at or payment.recorded_at, payment.payment_id, _refund(payment, booking.total))
            for payment in booking.payments.values()
            if payment.refund_reason is not None
        ),
        key=itemgetter(0, 1),
    )
    if not asked:
        return {}
    refunds = [refund for _, _, refund in asked]
    confirming = (refund for refund in refunds if refund["paymentId"] == booking.confirmed_by)
    return {"refunds": refunds, "refund": next(confirming, refunds[-1])}


def _refund(payment: Payment, total: Money) -> dict[str, Any]:
    money = payment.refundable or Money(amount=Decimal(0), currency=payment.currency or total.currency)
    return {
        "paymentId": payment.payment_id,
        "amount": money.written,
        "currency": money.currency,
        "reason": payment.refund_reason.value if payment.refund_reason else None,
        "status": payment.refund_status.value if payment.refund_status else None,
    }


def pagination_json(page: Page, total: int) -> Mapping[str, int]:
    """The position of a page in its list; 0 pages if the list is empty."""
    return {"page": page.number, "limit": page.limit, "total": total, "totalPages": -(-total // page.limit)}
