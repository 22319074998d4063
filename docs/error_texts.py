"""What a caller does about each error; a code without its words is a KeyError."""

from typing import Final

_WAIT: Final = "Wait for `Retry-After` seconds and send the same again, a POST with its `Idempotency-Key`."

WHAT_TO_DO: Final = {
    "UNAUTHENTICATED": "Get a new token from the issuer. If that fails too, the log says why it was refused.",
    "FORBIDDEN": "Have the issuer grant the permission; a new token has it.",
    "VALIDATION_FAILED": "Mend what `details.fields` names. It is a fault of the client's code.",
    "TOO_MANY_SEATS": "Make several bookings.",
    "EVENT_NOT_FOUND": "Look at the list of events again.",
    "SEAT_NOT_FOUND": "Look at the event's seats again: the Catalog may have withdrawn some.",
    "BOOKING_NOT_FOUND": "Look at the customer's own list.",
    "SEAT_ALREADY_RESERVED": "Show the customer which ones, and the seats as they are now. Another choice may succeed.",
    "PENDING_LIMIT_REACHED": "Have the customer pay for one, cancel one, or wait until one runs out.",
    "EVENT_NOT_ON_SALE": "Say so. It does not come back by itself.",
    "TICKET_NOT_AVAILABLE": "Ask for the booking until it is CONFIRMED.",
    "PAYMENT_IN_PROGRESS": "Ask for the booking until it is CONFIRMED or CANCELLED: that takes a bounded time.",
    "BOOKING_NOT_CANCELLABLE": "Show the booking as it is.",
    "IDEMPOTENCY_KEY_REUSED": "Make a new key for each order. It is a fault of the client's code.",
    "IDEMPOTENCY_IN_PROGRESS": _WAIT,
    "SERVICE_BUSY": _WAIT,
    "CATALOG_UNAVAILABLE": _WAIT,
    "NOT_FOUND": "Mend the path.",
    "METHOD_NOT_ALLOWED": "Mend the method.",
    "PAYLOAD_TOO_LARGE": "Send less: no request of this API needs so much.",
    "INTERNAL_ERROR": "Tell us the `X-Correlation-Id` of the answer. Whether something changed is not said: look.",
}
