"""Texts of the events' pages: the meaning of each event, field and header. A missing one is a KeyError."""

from typing import Final

MEANINGS: Final = {
    "booking.created": "A customer holds seats and has until `expiresAt` to pay.",
    "booking.confirmed": "The payment has arrived in time and in full: the seats are the customer's.",
    "booking.cancelled": "The booking has ended; its seats are available. Not published when the event is cancelled.",
    "booking.expired": "The hold expired before it was paid. The `booking.cancelled` of the same booking follows it.",
    "booking.refund_requested": "A payment that was taken must be refunded: exactly once per payment.",
    "event.cancelled": "A ticketed event was cancelled here, and no booking of it is live any more.",
    "payment.processing": "The payment has begun: the hold lasts until its result, for a bounded time.",
    "payment.success": "The payment succeeded: the booking is confirmed, or the payment is refunded.",
    "payment.failed": "The payment failed: the booking is cancelled and its seats are available.",
    "refund.completed": "The refund was paid; this is final.",
    "refund.failed": "The refund failed; `refund.completed` may still follow.",
}

FIELDS: Final = {
    "bookingId": "the booking",
    "userId": "its customer: the `sub` of the token",
    "eventId": "the ticketed event (the envelope's `eventId` is the message's own)",
    "seatIds": "the seats that are held",
    "releasedSeatIds": "the seats that are available again",
    "totalAmount": "what all seats cost together, with the currency's decimals",
    "amount": "the amount of the payment, with the currency's decimals",
    "currency": "ISO 4217",
    "expiresAt": "when the hold ends, unless a payment has begun",
    "ticketReference": "the ticket's id, for its QR code",
    "confirmedAt": "when the payment was applied",
    "cancelledAt": "when the event was closed",
    "paymentId": "the Payment Service's id of the payment; unique within the booking",
    "reason": "the reason",
    "affectedBookings": "the number of bookings that it ended",
}

HEADERS: Final = {
    "event_type": "as in the envelope",
    "version": "as in the envelope",
    "correlation_id": "as in the envelope",
    "content_type": "always this value",
    "sequence": "the event's number within its key, from 1, without gaps",
    "traceparent": "W3C Trace Context; present only if the change was traced",
}
