"""What a caller does about each error. A code without a text is a KeyError."""

from typing import Final

_WAIT: Final = "Wait for `Retry-After` seconds and send the request again, a POST with its `Idempotency-Key`."

WHAT_TO_DO: Final = {
    "UNAUTHENTICATED": "Get a new token from the issuer. If that is rejected too, the log has the reason.",
    "FORBIDDEN": "Have the issuer grant the permission; a new token has it.",
    "VALIDATION_FAILED": "Fix what `details.fields` names. It is a bug of the client.",
    "TOO_MANY_SEATS": "Make several bookings.",
    "EVENT_NOT_FOUND": "Read the list of events again.",
    "SEAT_NOT_FOUND": "Read the event's seats again: the Catalog may have withdrawn some.",
    "BOOKING_NOT_FOUND": "Read the customer's own list.",
    "SEAT_ALREADY_RESERVED": "Show the customer the taken seats and the current seat map. Another choice may succeed.",
    "PENDING_LIMIT_REACHED": "Let the customer pay for one, cancel one, or wait until one expires.",
    "EVENT_NOT_ON_SALE": "Tell the customer. A retry does not help.",
    "TICKET_NOT_AVAILABLE": "Poll the booking until it is CONFIRMED.",
    "PAYMENT_IN_PROGRESS": "Poll the booking until it is CONFIRMED or CANCELLED: that takes a bounded time.",
    "BOOKING_NOT_CANCELLABLE": "Show the booking's current status.",
    "IDEMPOTENCY_KEY_REUSED": "Generate a new key for each order. It is a bug of the client.",
    "IDEMPOTENCY_IN_PROGRESS": _WAIT,
    "SERVICE_BUSY": _WAIT,
    "CATALOG_UNAVAILABLE": _WAIT,
    "NOT_FOUND": "Fix the path.",
    "METHOD_NOT_ALLOWED": "Fix the method.",
    "PAYLOAD_TOO_LARGE": "Send a smaller body: no request of this API needs more.",
    "INTERNAL_ERROR": "Report the `X-Correlation-Id` of the response. Something may have changed: read it.",
}
