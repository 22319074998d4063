"""The routes of events, and cancelling an event (spec 6.4)."""

from typing import Any, Final
from uuid import UUID

from attrs import frozen
from flask import Response

from booking_api.auth.tokens import Identity
from booking_api.http.bodies import cancel_event_body, idempotency_key, pagination_json, success_body, utc
from booking_api.http.errors import Forbidden
from booking_api.http.flask_app import REPLAYED_HEADER, ApiFlask, ApiRequest, json_response, success
from booking_api.http.query import InvalidRequest, id_in, page_of, query_of
from booking_api.service import Service
from booking_core import (
    CancelEvent,
    EventNotFound,
    IdempotencyKey,
    InvalidValue,
    SaleStatus,
    close_event,
    get_event,
    list_events,
)
from booking_core.application.retries import in_unit_of_work
from booking_core.ports import KnownEvent, Store, UnitOfWork

EVENTS: Final = "/api/v1/events"
ADMIN: Final = "booking:admin"

_NO_EVENT: Final = UUID(int=0)


def add_event_routes(app: ApiFlask, service: Service) -> None:
    """Add everything under /api/v1/events."""
    routes = EventRoutes(service)
    app.add_guarded("GET", EVENTS, "list_events", routes.list)
    app.add_guarded("GET", f"{EVENTS}/<event_id>", "get_event", routes.show)
    app.add_guarded("POST", f"{EVENTS}/<event_id>/cancel", "cancel_event", routes.cancel)


@frozen
class EventRoutes:
    """One method a route. A refusal is raised; `http.errors` turns it into a response."""

    service: Service

    def list(self, request: ApiRequest, identity: Identity) -> Response:
        """200 with a page of the known events, by start."""
        page = page_of(query_of(request.environ))
        events = list_events(page, store=self.service.store)
        return success([event_json(each) for each in events.items], pagination=pagination_json(page, events.total))

    def show(self, request: ApiRequest, identity: Identity, event_id: str) -> Response:
        """200 with one event."""
        service = self.service
        return success(
            event_json(get_event(event_id_in(event_id), store=service.store, catalog_cache=service.catalog_cache))
        )

    def cancel(self, request: ApiRequest, identity: Identity, event_id: str) -> Response:
        """202 after the event was closed for reservations; the worker ends its bookings. For administrators.

        Closing an event twice has no effect, so the response is stored under an idempotency key after it was closed.
        """
        if ADMIN not in identity.permissions:
            raise Forbidden()
        body = request.decoded(cancel_event_body)
        operation = f"POST {EVENTS}/{event_id.lower()}/cancel"
        key = idempotency_key(request.environ.get("HTTP_IDEMPOTENCY_KEY"), identity.user_id, operation, body)
        command = _command(request, identity, event_id, body.fields.reason)
        store = self.service.store
        close_event(command, store=store, catalog_cache=self.service.catalog_cache)
        written = success_body(_closed_json(store, command.event_id))
        if key is None:
            return json_response(written, 202)
        text, is_replayed = _stored_response(store, key, written.decode())
        response = json_response(text.encode(), 202)
        if is_replayed:
            response.headers[REPLAYED_HEADER] = "true"
        return response


def event_json(known: KnownEvent) -> dict[str, Any]:
    """An event; CANCELLED if it was cancelled in this service, whatever its status in the Catalog."""
    event = known.event
    return {
        "eventId": event.event_id,
        "name": event.name,
        "startsAt": utc(event.starts_at),
        "status": (SaleStatus.CANCELLED if known.closed else event.status).value,
        "currency": event.currency,
    }


def _command(request: ApiRequest, identity: Identity, event_id: str, reason: str) -> CancelEvent:
    """The command. Checks the reason, which is of the body, before a text that is not an event's id."""
    known = id_in(event_id)
    try:
        command = CancelEvent(
            event_id=known or _NO_EVENT,
            reason=reason,
            administrator=identity.user_id,
            correlation_id=request.correlation_id,
        )
    except InvalidValue as error:
        raise InvalidRequest.of(error) from None
    if known is None:
        raise EventNotFound()
    return command


def _closed_json(store: Store, event_id: UUID) -> dict[str, Any]:
    """`remaining` bookings are still live; `affectedBookings` are those and the ones that ended with the event."""
    preview = store.reads.cancellation_preview(event_id)
    return {
        "eventId": event_id,
        "status": SaleStatus.CANCELLED.value,
        "affectedBookings": preview.ended + preview.bookings,
        "remaining": preview.bookings,
    }


def _stored_response(store: Store, key: IdempotencyKey, text: str) -> tuple[str, bool]:
    """Store `text` as the response of this key; or return the response that was stored before, and True.

    Raises IdempotencyKeyReused, IdempotencyInProgress.
    """

    def work(uow: UnitOfWork) -> tuple[str, bool]:
        earlier = uow.responses.claim(key)
        if earlier is not None:
            return earlier.text, True
        uow.responses.keep(key, text)
        uow.commit()
        return text, False

    return in_unit_of_work(store, work)


def event_id_in(text: str) -> UUID:
    """The id in a path. Raises EventNotFound for a text that is no id."""
    known = id_in(text)
    if known is None:
        raise EventNotFound()
    return known
