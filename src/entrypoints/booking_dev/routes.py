"""The routes that `booking dev` alone has: a seat map, payments to simulate, tokens for anybody, keys to check them."""

from decimal import Decimal
from typing import Annotated, Any, Final, Literal, TypeVar
from uuid import UUID

import msgspec
from attrs import frozen
from flask import Flask, Response

from booking_api.http.bodies import all_faults
from booking_api.http.query import InvalidRequest
from booking_api.http.request import ApiRequest, body_of, current_api_request
from booking_api.http.responses import success
from booking_core.domain.values import MAX_AMOUNT
from booking_dev.page import add_page
from booking_dev.payments import Outcome, PaymentSimulator, SimulatedPayment
from booking_dev.tokens import ADMIN_PERMISSIONS, DevTokens

T = TypeVar("T", bound=msgspec.Struct)

_Text = Annotated[str, msgspec.Meta(min_length=1, max_length=255)]
_MOST_DECIMALS: Final = 18
_NUMBER: Final = msgspec.json.Decoder(float_hook=Decimal)


class PaymentBody(msgspec.Struct, forbid_unknown_fields=True, frozen=True, rename="camel"):
    """`POST /dev/payments`."""

    booking_id: UUID
    outcome: Literal["success", "failed", "processing"]
    # As it is written: a Decimal would be read from a text as well.
    amount: msgspec.Raw = msgspec.Raw(b"null")
    currency: _Text | None = None
    payment_id: _Text | None = None


class TokenBody(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """`POST /dev/token`."""

    user: str
    admin: bool = False


def add_dev_routes(app: Flask, *, payments: PaymentSimulator, tokens: DevTokens) -> None:
    """`/dev`, `/dev/payments`, `/dev/token`, `/.well-known/jwks.json` and the page at `/`; none asks for a token."""
    routes = _DevRoutes(payments, tokens)
    add_page(app)
    app.add_url_rule("/dev", "dev", routes.pointers, methods=["GET"])
    app.add_url_rule("/dev/payments", "dev_payments", routes.pay, methods=["POST"])
    app.add_url_rule("/dev/token", "dev_token", routes.sign, methods=["POST"])
    app.add_url_rule("/.well-known/jwks.json", "jwks", routes.jwks, methods=["GET"])


@frozen
class _DevRoutes:
    """Each method answers one route."""

    payments: PaymentSimulator
    tokens: DevTokens

    def pay(self) -> Response:
        """202: what was said of the payment is on its way. BookingNotFound."""
        exchange = current_api_request()
        body = _read(exchange, PaymentBody)
        exchange.booking_id = body.booking_id
        payment = SimulatedPayment(
            booking_id=body.booking_id,
            outcome=Outcome(body.outcome),
            amount=_amount(body.amount),
            currency=body.currency,
            payment_id=body.payment_id,
            correlation_id=exchange.correlation_id,
        )
        payment_id = self.payments.pay(payment)
        return success({"bookingId": body.booking_id, "paymentId": payment_id, "outcome": body.outcome}, 202)

    def sign(self) -> Response:
        """200 with a token, good for a day."""
        body = _read(current_api_request(), TokenBody)
        try:
            token = self.tokens.sign(body.user, ADMIN_PERMISSIONS if body.admin else ())
        except ValueError:
            raise InvalidRequest("user", "must be 1 to 255 characters, none of them a control character") from None
        return success({"token": token})

    def jwks(self) -> Response:
        """200 with the key set itself, as its readers expect it."""
        return Response(msgspec.json.encode(self.tokens.jwks()), content_type="application/json")

    def pointers(self) -> Response:
        """200 with what there is to call."""
        return success(
            {
                "seatMap": "/",
                "events": "/api/v1/events",
                "token": 'POST /dev/token {"user": "alice"}',
                "payments": 'POST /dev/payments {"bookingId": "…", "outcome": "success" | "failed" | "processing"}',
                "keys": "/.well-known/jwks.json",
                "health": ["/healthz", "/readyz", "/metrics"],
            }
        )


def _read(exchange: ApiRequest, kind: type[T]) -> T:
    """The body, whatever type it says it has: this is typed by hand. Raises InvalidRequest."""
    raw = body_of(exchange)
    try:
        return msgspec.json.decode(raw, type=kind)
    except msgspec.ValidationError as error:
        raise all_faults(kind, raw, error) from None
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise InvalidRequest("body", "must be well-formed JSON") from None


def _amount(written: msgspec.Raw) -> Decimal | None:
    amount: Any = _NUMBER.decode(written)
    if amount is None:
        return None
    if isinstance(amount, bool) or not isinstance(amount, int | Decimal):
        raise InvalidRequest("amount", "must be a number")
    number = Decimal(amount)
    exponent = number.as_tuple().exponent
    if not abs(number) < MAX_AMOUNT or not isinstance(exponent, int) or exponent < -_MOST_DECIMALS:
        raise InvalidRequest("amount", f"must be below 10^12, with at most {_MOST_DECIMALS} decimals")
    return number
