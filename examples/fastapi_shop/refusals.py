"""Errors as answers. Every error of the library has a stable code, a sentence for people, and JSON-ready details."""

from http import HTTPStatus
from typing import Final

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from sqlalchemy.exc import OperationalError, TimeoutError

from booking_core import BookingError, BookingNotFound, EventNotFound, Failure, InvalidValue, SeatNotFound, ServiceBusy
from fastapi_shop.orders import OrderRefused

_NOT_FOUND: Final = (BookingNotFound, EventNotFound, SeatNotFound)


def add_refusals(app: FastAPI) -> None:
    """Answer with the error's own code, whichever route raises it."""

    @app.exception_handler(BookingError)
    def refused(_: Request, error: BookingError) -> JSONResponse:
        answer = {"code": error.code, "message": str(error), "details": error.details}
        if isinstance(error, Failure):
            return JSONResponse(answer, HTTPStatus.SERVICE_UNAVAILABLE, {"Retry-After": str(error.retry_after)})
        if isinstance(error, InvalidValue):
            return JSONResponse(answer, HTTPStatus.BAD_REQUEST)
        return JSONResponse(answer, HTTPStatus.NOT_FOUND if isinstance(error, _NOT_FOUND) else HTTPStatus.CONFLICT)

    @app.exception_handler(OrderRefused)
    def refused_by_shop(_: Request, error: OrderRefused) -> JSONResponse:
        return JSONResponse({"code": error.code}, HTTPStatus.CONFLICT)

    # What the library meets of these it raises as Failure; the shop's own statements and commits meet them too.
    @app.exception_handler(OperationalError)
    @app.exception_handler(TimeoutError)
    def busy(request: Request, _: Exception) -> JSONResponse:
        return refused(request, ServiceBusy())
