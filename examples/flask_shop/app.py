"""The routes: parse, call, render. Who the customer is would be the shop's login; here a header says it."""

import os
from decimal import Decimal, InvalidOperation
from http import HTTPStatus
from typing import Any, Final
from uuid import UUID

import click
from flask import Flask, request
from flask.typing import ResponseReturnValue
from sqlalchemy.exc import OperationalError, TimeoutError

from booking_core import (
    Booking,
    BookingError,
    BookingNotFound,
    EventNotFound,
    Failure,
    InvalidValue,
    SeatNotFound,
    ServiceBusy,
)
from booking_core import list_seats as seats_of
from booking_postgres.store import PostgresStore
from flask_shop.orders import OrderExists, Orders
from flask_shop.transactions import make_engine
from flask_shop.upkeep import Upkeep

_CONNECTIONS: Final = 8
_NOT_FOUND: Final = (BookingNotFound, EventNotFound, SeatNotFound)


def create_app(database_url: str | None = None) -> Flask:
    """The shop over that database, or the one that SHOP_DATABASE_URL names; connects to nothing yet."""
    engine = make_engine(database_url or os.environ["SHOP_DATABASE_URL"], _CONNECTIONS)
    store = PostgresStore(engine)
    app = Flask(__name__)
    _add_routes(app, store, Orders(engine, store))
    _add_commands(app, Upkeep(engine, store))
    app.register_error_handler(BookingError, _refused)
    app.register_error_handler(OrderExists, _exists)
    # What the library meets of these it raises as Failure; the shop's own statements and commits meet them too.
    app.register_error_handler(OperationalError, _busy)
    app.register_error_handler(TimeoutError, _busy)
    return app


def _add_routes(app: Flask, store: PostgresStore, orders: Orders) -> None:
    @app.get("/events/<uuid:event_id>/seats")
    def seats(event_id: UUID) -> ResponseReturnValue:
        found = seats_of(event_id, store=store).seats
        return {"seats": [{"seatId": str(each.seat.seat_id), "status": each.status.value} for each in found]}

    @app.post("/orders")
    def place() -> ResponseReturnValue:
        body = _body()
        event_id = _uuid("eventId", body.get("eventId"))
        booking = orders.place(_text(body, "number"), _customer(), event_id, _uuids(body, "seatIds"))
        return _shown(booking), HTTPStatus.CREATED

    @app.get("/orders/<number>")
    def show(number: str) -> ResponseReturnValue:
        return _shown(orders.show(number, _customer()))

    @app.delete("/orders/<number>")
    def cancel(number: str) -> ResponseReturnValue:
        return _shown(orders.cancel(number, _customer()))

    @app.post("/orders/<number>/payments")
    def pay(number: str) -> ResponseReturnValue:
        """For the payment provider alone; a real shop checks its signature here."""
        body = _body()
        message_id = _uuid("messageId", body.get("messageId"))
        amount, currency = _amount(body.get("amount")), _text(body, "currency")
        return {"changed": orders.pay(number, message_id, _text(body, "paymentId"), amount, currency)}


def _add_commands(app: Flask, upkeep: Upkeep) -> None:
    @app.cli.command()
    def migrate() -> None:
        """Bring the tables up to date: the library's and the shop's."""
        click.echo(f"migrations of the library: {len(upkeep.migrate())}")

    @app.cli.command("upkeep")
    def run_upkeep() -> None:
        """One pass of every worker."""
        upkeep.run_once()
        counts = upkeep.expiry.expired, upkeep.events.acted_on, upkeep.retention.deleted
        click.echo("expired: {}, events: {}, pruned: {}".format(*counts))

    @app.cli.command()
    @click.option("--port", default=9090, help="Health and metrics.")
    def workers(port: int) -> None:
        """Every worker, until SIGTERM."""
        if not upkeep.run(port):
            raise click.ClickException("a worker did not end in time")


def _refused(error: BookingError) -> ResponseReturnValue:
    """Every error of the library has a stable code, a sentence for people, and details that are JSON-ready."""
    answer = {"code": error.code, "message": str(error), "details": error.details}
    if isinstance(error, Failure):
        return answer, HTTPStatus.SERVICE_UNAVAILABLE, {"Retry-After": str(error.retry_after)}
    if isinstance(error, InvalidValue):
        return answer, HTTPStatus.BAD_REQUEST
    return answer, HTTPStatus.NOT_FOUND if isinstance(error, _NOT_FOUND) else HTTPStatus.CONFLICT


def _busy(error: Exception) -> ResponseReturnValue:
    return _refused(ServiceBusy())


def _exists(error: OrderExists) -> ResponseReturnValue:
    return {"code": "ORDER_EXISTS", "message": "There is an order with this number already"}, HTTPStatus.CONFLICT


def _shown(booking: Booking) -> dict[str, Any]:
    return {
        "bookingId": str(booking.booking_id),
        "status": booking.status.value,
        "total": str(booking.total.written),
        "currency": booking.total.currency,
        "expiresAt": booking.expires_at.isoformat(),
        "ticket": booking.ticket_reference,
    }


def _customer() -> str:
    return request.headers.get("X-Customer", "")


def _body() -> dict[str, Any]:
    body = request.get_json()
    if not isinstance(body, dict):
        raise InvalidValue("body", "must be a JSON object")
    return body


def _text(body: dict[str, Any], name: str) -> str:
    if not isinstance(body.get(name), str):
        raise InvalidValue(name, "must be a text")
    return str(body[name])


def _uuid(name: str, value: Any) -> UUID:
    try:
        return UUID(value)
    except (TypeError, ValueError, AttributeError) as error:
        raise InvalidValue(name, "must be a UUID") from error


def _uuids(body: dict[str, Any], name: str) -> list[UUID]:
    if not isinstance(body.get(name), list):
        raise InvalidValue(name, "must be a list of UUIDs")
    return [_uuid(name, each) for each in body[name]]


def _amount(value: Any) -> Decimal:
    try:
        return Decimal(str(value))
    except InvalidOperation as error:
        raise InvalidValue("amount", "must be a number") from error
