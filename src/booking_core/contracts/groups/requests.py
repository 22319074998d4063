"""Requests of groups, and short names for what becomes of them."""

from collections.abc import Sequence
from typing import Any, Final

from booking_core.application import IdempotentCall, ReservationRequest, reserve_many
from booking_core.contracts.store.fixture import StoreFixture
from booking_core.domain.group import Deferral
from booking_core.domain.reservation import IdempotencyKey

KEY: Final = IdempotencyKey(user_id="ada", operation="POST /api/v1/bookings", key="key-1", fingerprint="content-1")


def request_of(fixture: StoreFixture, *places: int, user: str = "ada", **more: Any) -> ReservationRequest:
    """A request of a group for the seats at these places."""
    return ReservationRequest(command=fixture.command(*places, user=user), **more)


def grouped(fixture: StoreFixture, *requests: ReservationRequest) -> list[Any]:
    """The outcomes of the group; deferred requests are not reserved alone."""
    return fixture.reserve_group(requests)


def all_of(fixture: StoreFixture, *requests: ReservationRequest) -> list[Any]:
    """The outcomes of the group and of the requests that it deferred."""
    if not fixture.on_event_loop:
        return list(reserve_many(requests, store=fixture.store))
    return [
        reserve_many([request], store=fixture.store)[0] if isinstance(outcome, Deferral) else outcome
        for request, outcome in zip(requests, grouped(fixture, *requests), strict=True)
    ]


def kinds(outcomes: Sequence[object]) -> list[object]:
    """The type of each outcome, and a deferral as it is."""
    return [outcome if isinstance(outcome, Deferral) else type(outcome) for outcome in outcomes]


def with_key(fixture: StoreFixture, *places: int, key: IdempotencyKey = KEY) -> ReservationRequest:
    """A request with an idempotency key, whose response is the id of its booking."""
    once = IdempotentCall(key=key, render=lambda booking: str(booking.booking_id))
    return request_of(fixture, *places, user=key.user_id, once=once)
