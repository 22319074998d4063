"""The use cases, one function per command or question; imports ports, messages and the domain.

Each opens its own unit of work and keeps no state.
"""

from booking_core.application.cancel import cancel
from booking_core.application.cancel_by_operator import cancel_by_operator, release_hold
from booking_core.application.cancel_event import CancelledEvent, cancel_event, close_event, finish_closure
from booking_core.application.expire import expire
from booking_core.application.forget import ForgetUser, ForgottenUser, forget
from booking_core.application.pay import (
    Effect,
    answer_refund,
    apply_payments,
    confirm_payment,
    fail_payment,
    start_payment,
)
from booking_core.application.read import (
    SeatMap,
    get_booking,
    get_event,
    list_bookings,
    list_events,
    list_seats,
    show_booking,
)
from booking_core.application.reserve import IdempotentCall, ReplayedResponse, reserve, reserve_once
from booking_core.application.reserve_group import (
    GroupFailure,
    ReservationRequest,
    reserve_group_on,
)
from booking_core.application.reserve_many import reserve_group, reserve_many
from booking_core.application.tickets import TicketCheck, TicketStatus, get_ticket, verify_ticket

__all__ = [
    "CancelledEvent",
    "Effect",
    "ForgetUser",
    "ForgottenUser",
    "GroupFailure",
    "IdempotentCall",
    "ReplayedResponse",
    "ReservationRequest",
    "SeatMap",
    "TicketCheck",
    "TicketStatus",
    "answer_refund",
    "apply_payments",
    "cancel",
    "cancel_by_operator",
    "cancel_event",
    "close_event",
    "confirm_payment",
    "expire",
    "fail_payment",
    "finish_closure",
    "forget",
    "get_booking",
    "get_event",
    "get_ticket",
    "list_bookings",
    "list_events",
    "list_seats",
    "release_hold",
    "reserve",
    "reserve_group",
    "reserve_group_on",
    "reserve_many",
    "reserve_once",
    "show_booking",
    "start_payment",
    "verify_ticket",
]
