"""The routes: parse, call, render. Who the customer is would be the shop's login; here a header says it."""

import hmac
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Annotated, Any, Final
from uuid import UUID

from anyio.to_thread import current_default_thread_limiter
from fastapi import FastAPI, Header, HTTPException, Request
from fastapi.concurrency import run_in_threadpool
from pydantic import ValidationError

from booking_core import list_seats
from booking_postgres.store import PostgresStore
from fastapi_shop.bodies import NewOrder, OrderShown, PaymentTaken
from fastapi_shop.orders import Orders
from fastapi_shop.refusals import add_refusals
from fastapi_shop.tables import make_tables
from fastapi_shop.transactions import make_engine

_CONNECTIONS: Final = 8
Customer = Annotated[str, Header(alias="X-Customer")]


def create_app() -> FastAPI:
    """The shop over the database that SHOP_DATABASE_URL names; its payment provider signs with SHOP_PAYMENT_SECRET.

    Connects to nothing before it starts.
    """
    secret = os.environ["SHOP_PAYMENT_SECRET"].encode()
    engine = make_engine(os.environ["SHOP_DATABASE_URL"], _CONNECTIONS)
    store = PostgresStore(engine)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        # Threads that could only wait for a connection would time out there; so requests wait for a thread instead.
        current_default_thread_limiter().total_tokens = _CONNECTIONS
        yield
        await run_in_threadpool(engine.dispose)

    app = FastAPI(title="A shop", lifespan=lifespan)
    _add_routes(app, store, Orders(engine, store), secret)
    add_refusals(app)
    return app


def migrate() -> None:
    """`python -c 'from fastapi_shop.app import migrate; migrate()'`: the library's tables and then the shop's."""
    engine = make_engine(os.environ["SHOP_DATABASE_URL"], 1)
    PostgresStore(engine).upkeep.migrate()
    with engine.begin() as connection:
        make_tables(connection)
    engine.dispose()


def _add_routes(app: FastAPI, store: PostgresStore, orders: Orders, secret: bytes) -> None:
    # Routes that call the library are plain functions: FastAPI runs these in threads, and the library blocks.
    @app.get("/events/{event_id}/seats")
    def seats(event_id: UUID) -> dict[str, Any]:
        found = list_seats(event_id, store=store).seats
        return {"seats": [{"seat_id": each.seat.seat_id, "status": each.status.value} for each in found]}

    @app.post("/orders", status_code=HTTPStatus.CREATED)
    def place(order: NewOrder, customer: Customer) -> OrderShown:
        return OrderShown.of(orders.place(order.number, customer, order.event_id, order.seat_ids, order.voucher))

    @app.get("/orders/{number}")
    def show(number: str, customer: Customer) -> OrderShown:
        return OrderShown.of(orders.show(number, customer))

    # One that has something to await goes to a thread by itself: a call that blocks here would stop all requests.
    @app.post("/payments")
    async def paid(request: Request, signature: Annotated[str, Header(alias="X-Signature")]) -> dict[str, bool]:
        body = await request.body()
        if not hmac.compare_digest(hmac.new(secret, body, "sha256").hexdigest().encode(), signature.encode()):
            raise HTTPException(HTTPStatus.FORBIDDEN)
        try:
            said = PaymentTaken.model_validate_json(body)
        except ValidationError as error:
            raise HTTPException(HTTPStatus.UNPROCESSABLE_ENTITY, error.errors(include_context=False)) from error
        changed = await run_in_threadpool(
            orders.pay, said.order, said.message_id, said.payment_id, said.amount, said.currency
        )
        return {"changed": changed}
