"""What the pages of the events say in words; a field, header or event without its words is a KeyError."""

from typing import Final

MEANINGS: Final = {
    "booking.created": "A customer holds seats and has until `expiresAt` to pay.",
    "booking.confirmed": "The payment has arrived in time and in full: the seats are the customer's.",
    "booking.cancelled": "The booking has ended and its seats are free. Not said when the event itself is cancelled.",
    "booking.expired": "The time to pay ran out. The `booking.cancelled` of the same booking follows it.",
    "booking.refund_requested": "A payment that was taken is to go back: once per payment, ever.",
    "event.cancelled": "A ticketed event was cancelled here, and no booking of it is live any more.",
    "payment.processing": "The payment has begun: the hold lasts until it is answered, for a bounded time.",
    "payment.success": "The money has arrived: the booking is confirmed, or the payment is asked back.",
    "payment.failed": "There will be no money: the booking is cancelled and its seats are free.",
    "refund.completed": "The money is back with the customer; this is final.",
    "refund.failed": "The money could not be given back; `refund.completed` may still follow.",
}

FIELDS: Final = {
    "bookingId": "the booking",
    "userId": "its customer: the `sub` of the token",
    "eventId": "the ticketed event (the envelope's `eventId` is the message's own)",
    "seatIds": "the seats that are held",
    "releasedSeatIds": "the seats that are free again",
    "totalAmount": "what all seats cost together, with the currency's decimals",
    "amount": "the money, with the currency's decimals",
    "currency": "ISO 4217",
    "expiresAt": "when the hold ends, unless a payment has begun",
    "ticketReference": "the ticket's id, for its QR code",
    "confirmedAt": "when the payment was applied",
    "cancelledAt": "when the event was closed",
    "paymentId": "the Payment Service's id of the payment; unique within the booking",
    "reason": "why",
    "affectedBookings": "how many bookings ended because of it",
}

HEADERS: Final = {
    "event_type": "as in the envelope",
    "version": "as in the envelope",
    "correlation_id": "as in the envelope",
    "content_type": "always this",
    "sequence": "the event's number within its key, from 1, without gaps",
    "traceparent": "W3C Trace Context; there only where the change was traced",
}
