"""Every refusal and failure has a stable code, a sentence for people and details that are ready for JSON."""

import copy
import json
import pickle
from typing import Final
from uuid import UUID

import pytest

from booking_core.domain import errors
from booking_core.domain.errors import BookingError, Failure, InvalidValue, Refusal, SeatAlreadyReserved, SeatNotFound

CODES: Final = {
    "InvalidValue": "VALIDATION_FAILED",
    "TooManySeats": "TOO_MANY_SEATS",
    "EventNotFound": "EVENT_NOT_FOUND",
    "EventNotOnSale": "EVENT_NOT_ON_SALE",
    "SeatNotFound": "SEAT_NOT_FOUND",
    "PendingLimitReached": "PENDING_LIMIT_REACHED",
    "SeatAlreadyReserved": "SEAT_ALREADY_RESERVED",
    "BookingNotFound": "BOOKING_NOT_FOUND",
    "PaymentInProgress": "PAYMENT_IN_PROGRESS",
    "BookingNotCancellable": "BOOKING_NOT_CANCELLABLE",
    "IdempotencyKeyReused": "IDEMPOTENCY_KEY_REUSED",
    "IdempotencyInProgress": "IDEMPOTENCY_IN_PROGRESS",
    "ServiceBusy": "SERVICE_BUSY",
    "TransactionConflict": "SERVICE_BUSY",
    "CommitOutcomeUnknown": "SERVICE_BUSY",
    "CatalogUnavailable": "CATALOG_UNAVAILABLE",
}
"""The codes that customers and other services rely on."""


@pytest.mark.parametrize(("name", "code"), CODES.items())
def test_the_code_of_an_error_never_changes(name: str, code: str) -> None:
    assert getattr(errors, name).code == code


PLAIN: Final = [
    kind
    for kind in vars(errors).values()
    if isinstance(kind, type) and issubclass(kind, BookingError) and kind is not InvalidValue
]


@pytest.mark.parametrize("kind", PLAIN)
def test_an_error_speaks_for_itself(kind: type[BookingError]) -> None:
    assert str(kind()) == kind.message
    assert kind().details == {}
    assert str(kind("Row A is closed", {"row": "A"})) == "Row A is closed"
    assert kind.code.isupper()


def test_a_refusal_is_no_failure() -> None:
    assert not [kind for kind in PLAIN if issubclass(kind, Refusal) and issubclass(kind, Failure)]


@pytest.mark.parametrize("kind", [kind for kind in PLAIN if issubclass(kind, Failure)])
def test_a_failure_says_when_to_try_again(kind: type[Failure]) -> None:
    assert isinstance(kind.retry_after, int)
    assert kind.retry_after >= 1


def test_seats_are_listed_sorted_and_as_text() -> None:
    seats = [UUID(int=2), UUID(int=1)]
    listed = ["00000000-0000-0000-0000-000000000001", "00000000-0000-0000-0000-000000000002"]

    assert SeatNotFound.of(seats).details == {"seatIds": listed}
    assert SeatAlreadyReserved.of(seats).details == {"unavailableSeatIds": listed}
    assert json.loads(json.dumps(SeatNotFound.of(seats).details)) == {"seatIds": listed}


def test_an_invalid_value_names_its_field() -> None:
    error = InvalidValue("amount", "must be finite")

    assert str(error) == "amount must be finite"
    assert error.details == {"fields": [{"field": "amount", "problem": "must be finite"}]}
    assert isinstance(error, ValueError)


@pytest.mark.parametrize(
    "error", [InvalidValue("amount", "must be finite"), SeatNotFound.of([UUID(int=1)]), Refusal("No", {"a": [1]})]
)
def test_an_error_travels_between_processes(error: BookingError) -> None:
    for arrived in (pickle.loads(pickle.dumps(error)), copy.copy(error)):
        assert type(arrived) is type(error)
        assert (str(arrived), arrived.details, arrived.code) == (str(error), error.details, error.code)
