"""Routes of `booking dev` alone: seat map, simulated payments, tokens for every user, and the keys of these tokens.

The seat map consists of static files beside this module.
"""

from decimal import Decimal
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Annotated, Any, Final, Literal, TypeVar
from uuid import UUID

import msgspec
from attrs import frozen
from flask import Flask, Response, abort

from booking_api.http.body_faults import all_faults
from booking_api.http.flask_app import ApiRequest, body_of, current_api_request, success
from booking_api.http.query import InvalidRequest
from booking_core.domain.values import MAX_AMOUNT
from booking_dev.payments import PaymentSimulator, SimulatedOutcome, SimulatedPayment
from booking_dev.tokens import ADMIN_PERMISSIONS, DevTokens

T = TypeVar("T", bound=msgspec.Struct)

_Text = Annotated[str, msgspec.Meta(min_length=1, max_length=255)]
_MOST_DECIMALS: Final = 18
_NUMBER: Final = msgspec.json.Decoder(float_hook=Decimal)

_PAGE: Final = "index.html"
_ASSETS: Final = "/dev/seat-map/"

_CONTENT_TYPES: Final = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
}
# The page loads its files from here only, and calls this server only. `blob:` is for tickets, which it fetches with
# the customer's token.
_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' blob:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types"
)
_HEADERS: Final = {"Content-Security-Policy": _POLICY, "Referrer-Policy": "no-referrer"}
_PRELOADS: Final = "<!-- PRELOADS -->"


class PaymentBody(msgspec.Struct, forbid_unknown_fields=True, frozen=True, rename="camel"):
    """Body of `POST /dev/payments`."""

    booking_id: UUID
    outcome: Literal["success", "failed", "processing"]
    # Raw, because msgspec would also accept a text for a Decimal.
    amount: msgspec.Raw = msgspec.Raw(b"null")
    currency: _Text | None = None
    payment_id: _Text | None = None


class TokenBody(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """Body of `POST /dev/token`."""

    user: str
    admin: bool = False


def add_dev_routes(app: Flask, *, payments: PaymentSimulator, tokens: DevTokens) -> None:
    """Add the routes; none of them requires a token."""
    routes = _DevRoutes(payments, tokens)
    _add_seat_map(app)
    app.add_url_rule("/dev", "dev", routes.pointers, methods=["GET"])
    app.add_url_rule("/dev/payments", "dev_payments", routes.pay, methods=["POST"])
    app.add_url_rule("/dev/token", "dev_token", routes.sign, methods=["POST"])
    app.add_url_rule("/.well-known/jwks.json", "jwks", routes.jwks, methods=["GET"])


@frozen
class _DevRoutes:
    """Handlers, one method for each route."""

    payments: PaymentSimulator
    tokens: DevTokens

    def pay(self) -> Response:
        """Publish a simulated payment: 202. Raises BookingNotFound."""
        request = current_api_request()
        body = _read(request, PaymentBody)
        request.booking_id = body.booking_id
        payment = SimulatedPayment(
            booking_id=body.booking_id,
            outcome=SimulatedOutcome(body.outcome),
            amount=_amount(body.amount),
            currency=body.currency,
            payment_id=body.payment_id,
            correlation_id=request.correlation_id,
        )
        payment_id = self.payments.pay(payment)
        return success({"bookingId": body.booking_id, "paymentId": payment_id, "outcome": body.outcome}, 202)

    def sign(self) -> Response:
        """Sign a token that is valid for a day: 200."""
        body = _read(current_api_request(), TokenBody)
        try:
            token = self.tokens.sign(body.user, ADMIN_PERMISSIONS if body.admin else ())
        except ValueError:
            raise InvalidRequest("user", "must be 1 to 255 characters, none of them a control character") from None
        return success({"token": token})

    def jwks(self) -> Response:
        """Return the key set without an envelope, as JWKS clients expect it: 200."""
        return Response(msgspec.json.encode(self.tokens.jwks()), content_type="application/json")

    def pointers(self) -> Response:
        """List the routes: 200."""
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


def _read(request: ApiRequest, kind: type[T]) -> T:
    """Decode the body, whatever its content type, because it is typed by hand. Raises InvalidRequest."""
    raw = body_of(request)
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
        raise InvalidRequest("amount", f"must be below 10^18, with at most {_MOST_DECIMALS} decimals")
    return number


def _add_seat_map(app: Flask) -> None:
    """Add the seat map at `/` and its files under `/dev/seat-map/`. Each request reads its file from the package."""
    assets = {each.name: each for each in files("booking_dev").joinpath("seat_map").iterdir() if _content_type(each)}

    def page() -> Response:
        return _file_response(assets[_PAGE], _with_preloads(assets[_PAGE].read_text("utf-8"), sorted(assets)))

    def asset(name: str) -> Response:
        found = assets.get(name)
        if found is None or name == _PAGE:
            abort(404)
        return _file_response(found, found.read_text("utf-8"))

    app.add_url_rule("/", "seat_map", page, methods=["GET"])
    app.add_url_rule(f"{_ASSETS}<name>", "seat_map_asset", asset, methods=["GET"])


def _with_preloads(html: str, names: list[str]) -> str:
    """Add a preload link for each module, so that the browser does not wait for one import to find the next."""
    links = (f'<link rel="modulepreload" href="{_ASSETS}{name}">' for name in names if name.endswith(".js"))
    return html.replace(_PRELOADS, "\n  ".join(links))


def _content_type(file: Traversable) -> str | None:
    return _CONTENT_TYPES.get("." + file.name.rpartition(".")[2])


def _file_response(file: Traversable, text: str) -> Response:
    return Response(text, content_type=_content_type(file), headers=_HEADERS)
