"""The whole API over a store, as its customers meet it: signed tokens, JSON in and out."""

import json
import time
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

from attrs import define, field, frozen
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from booking_api.app import create_app
from booking_api.auth.keys import FixedKeys
from booking_api.auth.verifier import KeySource, TokenVerifier
from booking_api.service import Service
from booking_core import (
    Booking,
    CatalogCache,
    ConfirmPayment,
    Money,
    Reserve,
    SaleStatus,
    Seat,
    StartPayment,
    Terms,
    TicketedEvent,
    confirm_payment,
    reserve,
    start_payment,
)
from booking_core.ports import Catalog, Store
from booking_dev.tokens import DevTokens

ISSUER, AUDIENCE = "https://issuer.test/", "booking"
BOOKINGS, EVENTS = "/api/v1/bookings", "/api/v1/events"
ANN, BOB, ROOT = "auth0|ann", "auth0|bob", "auth0|root"


@frozen
class Hall:
    """An event with its seats, sorted by id."""

    event: TicketedEvent
    seats: tuple[Seat, ...]

    @property
    def event_id(self) -> UUID:
        return self.event.event_id

    def ids(self, *places: int) -> list[str]:
        return [str(self.seats[place].seat_id) for place in places]

    def order(self, *places: int) -> dict[str, Any]:
        """The body that asks for the seats at these places."""
        return {"eventId": str(self.event_id), "seatIds": self.ids(*places)}


@define
class Api:
    """`store` is shared by all that is made with `over`; every other part can be chosen."""

    store: Store
    issuer: DevTokens
    terms: Terms = field(factory=Terms)
    catalog: Catalog | None = None
    cors_origins: tuple[str, ...] = ()
    keys: KeySource | None = None
    metrics: Callable[[], bytes] | None = None
    client: FlaskClient = field(init=False)

    def __attrs_post_init__(self) -> None:
        service = Service(
            store=self.store,
            catalog_cache=CatalogCache(store=self.store, catalog=self.catalog),
            terms=self.terms,
            cors_origins=self.cors_origins,
            metrics=self.metrics,
        )
        keys = self.keys or FixedKeys(self.issuer.jwks())
        verifier = TokenVerifier(issuer=ISSUER, audience=AUDIENCE, keys=keys)
        self.client = create_app(service, verifier).test_client()

    # -- asking ----------------------------------------------------------------------------------------------------

    def call(
        self,
        method: str,
        path: str,
        *,
        user: str | None = ANN,
        body: Any = None,
        headers: Any = None,
        admin: bool = False,
    ) -> TestResponse:
        """One request; `user` None sends no token, `body` is JSON unless it is bytes."""
        sent = dict(headers or {})
        if user is not None:
            sent["Authorization"] = f"Bearer {self.issuer.sign(user, ['booking:admin'] if admin else [])}"
        if body is not None:
            sent.setdefault("Content-Type", "application/json")
            body = body if isinstance(body, bytes) else json.dumps(body).encode()
        return self.client.open(path, method=method, data=body, headers=sent)

    def get(self, path: str, **how: Any) -> TestResponse:
        return self.call("GET", path, **how)

    def post(self, path: str, body: Any, **how: Any) -> TestResponse:
        return self.call("POST", path, body=body, **how)

    def delete(self, path: str, **how: Any) -> TestResponse:
        return self.call("DELETE", path, **how)

    # -- what was there before -------------------------------------------------------------------------------------

    def hall(
        self,
        *prices: str,
        starts_in: timedelta = timedelta(days=40),
        status: SaleStatus = SaleStatus.ON_SALE,
        currency: str = "USD",
        ages: bool = False,
    ) -> Hall:
        """A new event with a seat for each price (four at 75.00 when none is given)."""
        event = TicketedEvent(
            event_id=uuid4(),
            name="A concert",
            starts_at=self.store.reads.now() + starts_in,
            status=status,
            currency=currency,
        )
        priced = [Decimal(price) for price in prices or ["75.00"] * 4]
        ids = sorted(uuid4() for _ in priced)
        hall = Hall(
            event,
            tuple(
                Seat(seat_id=seat_id, row="A", number=number, price=price)
                for number, (seat_id, price) in enumerate(zip(ids, priced, strict=True), 1)
            ),
        )
        self.put(event, hall.seats, ages=ages)
        return hall

    def put(self, event: TicketedEvent, seats: Sequence[Seat] = (), *, ages: bool = False) -> None:
        with self.store.unit_of_work() as uow:
            uow.events.put(event, ages=ages, complete=True)
            uow.events.put_seats(event.event_id, seats)
            uow.commit()

    def held(self, hall: Hall, *places: int, user: str = ANN) -> Booking:
        command = Reserve(
            user_id=user,
            event_id=hall.event_id,
            seat_ids=tuple(hall.seats[place].seat_id for place in places),
            correlation_id="before",
        )
        return reserve(command, store=self.store, terms=self.terms)

    def overdue(self, hall: Hall, *places: int, user: str = ANN) -> Booking:
        """A hold whose deadline has come, and that nobody has settled."""
        short = Api(self.store, self.issuer, Terms(payment_window=timedelta(milliseconds=1)))
        booking = short.held(hall, *places, user=user)
        self.wait_until(booking.expires_at)
        return booking

    def wait_until(self, moment: datetime) -> None:
        """Until the store's clock, and no other, has reached it."""
        give_up = time.monotonic() + 10
        while self.store.reads.now() < moment:
            assert time.monotonic() < give_up, "the store's clock stands still"

    def processing(self, booking: Booking, payment: str = "pay-1") -> None:
        start_payment(
            StartPayment(
                message_id=uuid4(), booking_id=booking.booking_id, payment_id=payment, correlation_id="payment"
            ),
            store=self.store,
        )

    def paid(self, booking: Booking, payment: str = "pay-1", amount: Money | None = None) -> None:
        money = amount or booking.total
        confirm_payment(
            ConfirmPayment(
                message_id=uuid4(),
                booking_id=booking.booking_id,
                payment_id=payment,
                correlation_id="payment",
                amount=money.amount,
                currency=money.currency,
            ),
            store=self.store,
        )


def error_of(answer: TestResponse) -> tuple[int, str]:
    """The status and code of a refusal, whose envelope must be exactly as the design says."""
    body = answer.json
    assert body is not None
    assert set(body) == {"success", "error"}
    assert body["success"] is False
    assert set(body["error"]) == {"code", "message", "details"}
    assert answer.content_type == "application/json"
    return answer.status_code, body["error"]["code"]


def details_of(answer: TestResponse) -> Any:
    assert answer.json is not None
    return answer.json["error"]["details"]


def data_of(answer: TestResponse) -> Any:
    """What a success carries."""
    body = answer.json
    assert body is not None, answer.data
    assert body["success"] is True, body
    return body["data"]
