"""Errors as answers: every error of the domain has its row, or is a fault of ours that tells nothing."""

from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask
from werkzeug.exceptions import (
    BadGateway,
    BadRequest,
    Gone,
    ImATeapot,
    InternalServerError,
    MethodNotAllowed,
    NotFound,
)

from booking_api.http.errors import STATUS, ErrorResponse, add_error_handlers, response_to
from booking_api.http.flask_app import ApiRequest, current_api_request
from booking_api.http.query import InvalidRequest
from booking_core import (
    BookingError,
    BusUnavailable,
    Failure,
    InvalidValue,
    MalformedMessage,
    Refusal,
    SeatAlreadyReserved,
    ServiceBusy,
    WrongIsolationLevel,
)
from booking_core.ports import CatalogAnswerInvalid

SECRET = "SELECT password FROM users"


def family(kind: type[BookingError]) -> Iterator[type[BookingError]]:
    for each in kind.__subclasses__():
        yield each
        yield from family(each)


OURS = sorted(
    {kind for kind in family(BookingError) if kind.__module__.startswith("booking_core")},
    key=lambda kind: kind.__name__,
)


def answered(error: Exception) -> tuple[int, str, dict[str, Any], dict[str, str]]:
    """Status, code, error and headers of the answer to a request that ends with this error."""
    app = Flask("errors")
    app.request_class = ApiRequest
    add_error_handlers(app)

    def fail() -> str:
        raise error

    app.add_url_rule("/", "fail", fail)
    answer = app.test_client().get("/")
    assert answer.json is not None
    assert set(answer.json) == {"success", "error"}
    return answer.status_code, answer.json["error"]["code"], answer.json["error"], dict(answer.headers)


@pytest.mark.parametrize("kind", [kind for kind in OURS if issubclass(kind, Refusal) and kind is not Refusal])
def test_every_refusal_has_a_row_and_tells_its_sentence_and_details(kind: type[BookingError]) -> None:
    status, code, error, headers = answered(kind("Because", {"seatIds": ["x"]}))

    assert (status, code) == (STATUS[kind.code], kind.code)
    assert 400 <= status < 500
    assert (error["message"], error["details"]) == ("Because", {"seatIds": ["x"]})
    assert "Retry-After" not in headers


@pytest.mark.parametrize("kind", [kind for kind in OURS if issubclass(kind, Failure) and kind is not Failure])
def test_every_failure_says_when_to_try_again_and_not_what_broke(kind: type[Failure]) -> None:
    status, code, error, headers = answered(kind(SECRET, {"host": SECRET}))

    assert status in (503, 409)
    assert STATUS[code] == status
    assert headers["Retry-After"] == str(kind.retry_after)
    assert SECRET not in str(error)


def test_failures_that_only_operators_know_are_shown_as_busy() -> None:
    assert answered(BusUnavailable())[:2] == (503, "SERVICE_BUSY")
    assert answered(CatalogAnswerInvalid("price -3"))[:2] == (503, "CATALOG_UNAVAILABLE")
    assert answered(ServiceBusy())[2]["message"] == ServiceBusy.message


@pytest.mark.parametrize(
    "error",
    [
        BookingError(SECRET),
        WrongIsolationLevel(SECRET),
        MalformedMessage(SECRET),
        InvalidValue("amount", SECRET),
        RuntimeError(SECRET),
        KeyError(SECRET),
        RecursionError(SECRET),
        BadGateway(SECRET),
    ],
    ids=lambda error: type(error).__name__,
)
def test_a_fault_of_ours_is_500_and_tells_nothing(error: Exception) -> None:
    status, code, told, _ = answered(error)

    assert (status, code) == (500, "INTERNAL_ERROR")
    assert SECRET not in str(told)


def test_what_the_caller_said_is_400_as_the_caller_spells_it() -> None:
    asked = answered(InvalidRequest("some_name", "is odd"))
    commanded = answered(InvalidRequest.of(InvalidValue("seat_ids", "must be good")))

    assert asked[:2] == commanded[:2] == (400, "VALIDATION_FAILED")
    assert asked[2]["details"] == {"fields": [{"field": "some_name", "problem": "is odd"}]}
    assert commanded[2]["details"] == {"fields": [{"field": "seatIds", "problem": "must be good"}]}
    assert commanded[2]["message"] == "seatIds must be good"


@pytest.mark.parametrize("error", [BadRequest(SECRET), Gone(SECRET), ImATeapot(SECRET)])
def test_other_refusals_of_the_framework_are_400(error: Exception) -> None:
    status, code, told, _ = answered(error)

    assert (status, code) == (400, "VALIDATION_FAILED")
    assert SECRET not in str(told)


def test_an_unknown_path_is_404() -> None:
    assert answered(NotFound())[:2] == (404, "NOT_FOUND")


def test_an_error_of_ours_that_the_framework_has_wrapped_is_logged_itself() -> None:
    cause = RuntimeError("the cause")
    wrapped = InternalServerError(original_exception=cause)

    assert ErrorResponse.to(wrapped).unexpected is cause
    assert ErrorResponse.to(cause).unexpected is cause
    assert ErrorResponse.to(ServiceBusy()).unexpected is None


@pytest.mark.parametrize(
    "error",
    [ServiceBusy("the cause"), SeatAlreadyReserved(), RuntimeError("x"), NotFound(), MethodNotAllowed(["PUT", "GET"])],
    ids=lambda error: type(error).__name__,
)
def test_flask_sends_what_the_table_says(error: Exception) -> None:
    answer = ErrorResponse.to(error)
    app = Flask("errors")
    app.request_class = ApiRequest

    with app.test_request_context():
        response, request = response_to(error), current_api_request()

    assert (response.status_code, response.data) == (answer.status, answer.body)
    assert (request.error_code, request.error_reason) == (answer.code, answer.reason)
    written = [("Content-Type", "application/json"), ("Content-Length", str(len(answer.body))), *answer.headers]
    assert list(response.headers) == written
