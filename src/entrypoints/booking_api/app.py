"""The Flask application: create_app() makes it of a service and a token verifier. Importing it connects to nothing."""

from flask import Flask, Response
from werkzeug.exceptions import MethodNotAllowed

from booking_api.auth.flask_jwt import install_jwt_manager
from booking_api.auth.verifier import TokenVerifier
from booking_api.gateway_reservations import GatewayReservations
from booking_api.gateway_responses import GatewayResponses
from booking_api.http.access_log import AccessLog
from booking_api.http.cors import Cors
from booking_api.http.errors import add_error_handlers, response_to
from booking_api.http.flask_app import ApiFlask, current_api_request, limit_bodies
from booking_api.http.metrics import HttpMetrics
from booking_api.http.request_spans import trace_requests
from booking_api.openapi.serving import add_description_routes
from booking_api.routes.bookings import add_booking_routes
from booking_api.routes.events import add_event_routes
from booking_api.routes.health import add_health_routes
from booking_api.routes.reservations import add_reservation_route
from booking_api.routes.seat_maps import add_seat_map_route
from booking_api.routes.tickets import add_ticket_routes
from booking_api.service import Service
from booking_telemetry.otel import tracer_provider
from booking_telemetry.pool_metrics import PoolMetrics


class BookingApi(ApiFlask):
    """The application; `gateway_responses` and `gateway_reservations` are for requests that do not reach it."""

    gateway_responses: GatewayResponses
    gateway_reservations: GatewayReservations


def create_app(service: Service, verifier: TokenVerifier) -> BookingApi:
    """Create the API over `service`, for callers whose tokens `verifier` accepts.

    Connects to nothing and reads no environment; traces requests if OpenTelemetry was set up in this process before.
    Each call creates another application; it registers its metrics in `service.registry`, which therefore serves one
    application.
    """
    cors = Cors(service.cors_origins)
    app = BookingApi("booking_api", verifier, cors)
    limit_bodies(app, service.bodies_at_once)
    install_jwt_manager(app, verifier)
    add_error_handlers(app)
    add_reservation_route(app, service)
    add_booking_routes(app, service)
    add_event_routes(app, service)
    add_seat_map_route(app, service)
    add_ticket_routes(app, service)
    add_health_routes(app, service, verifier)
    add_description_routes(app)
    _add_preflights(app, cors)
    access_log = AccessLog(_metrics(service, app), service.pseudonym_key)
    app.gateway_responses = GatewayResponses(cors, access_log, verifier, service.store)
    provider = tracer_provider()
    app.gateway_reservations = GatewayReservations(cors, access_log, verifier, provider)
    # Flask calls the function that was added last first.
    app.after_request(access_log.record_response)
    app.after_request(app.add_common_headers)
    trace_requests(app, provider)
    return app


def _metrics(service: Service, app: Flask) -> HttpMetrics:
    pool = PoolMetrics(service.store, service.catalog_cache.catalog, service.registry)
    metrics = HttpMetrics(service.registry, pool.refresh)
    metrics.create_initial_series(app)
    # At once: if several processes serve, this one's connections count before its first request, too.
    pool.refresh()
    return metrics


def _add_preflights(app: Flask, cors: Cors) -> None:
    """Respond to preflights. No route has OPTIONS, so Flask reports them as a method that the path does not allow."""

    @app.errorhandler(MethodNotAllowed)
    def preflight_or_error(error: MethodNotAllowed) -> Response:
        return cors.preflight(current_api_request(), error.valid_methods or ()) or response_to(error)
