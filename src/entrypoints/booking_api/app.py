"""The Flask application: made by `create_app`, over a service and a verifier of tokens. Importing connects nothing."""

from collections.abc import Callable
from typing import Any

from flask import Flask, Request, Response
from flask.sessions import NullSession, SessionInterface
from werkzeug.exceptions import MethodNotAllowed
from werkzeug.routing import MapAdapter

from booking_api.auth.flask import install
from booking_api.auth.verifier import TokenVerifier
from booking_api.finishing import Finisher
from booking_api.gateway_responses import GatewayResponses
from booking_api.http.access_log import AccessLog
from booking_api.http.cors import Cors
from booking_api.http.errors import answer_errors, answer_http_error
from booking_api.http.initial_series import routes_of
from booking_api.http.metrics import HttpMetrics
from booking_api.http.request import ApiRequest, current_api_request, limit_bodies
from booking_api.http.request_spans import trace_requests
from booking_api.openapi.serving import add_description_routes
from booking_api.routes.bookings import add_booking_routes
from booking_api.routes.events import add_event_routes
from booking_api.routes.health import add_health_routes
from booking_api.routes.tickets import add_ticket_routes
from booking_api.service import Service
from booking_telemetry.otel import tracer_provider
from booking_telemetry.pool_metrics import PoolMetrics


class _NoSessions(SessionInterface):
    """There are no cookies here: one empty session serves all requests, and cannot be written to."""

    def __init__(self) -> None:
        self._none = NullSession()

    def open_session(self, app: Flask, request: Request) -> NullSession:
        return self._none


class BookingApi(Flask):
    """Flask without what this API does not use: sessions, host matching, redirects to a path that was meant.

    `gateway_responses` are those to requests that do not reach the application.
    """

    gateway_responses: GatewayResponses
    request_class = ApiRequest
    session_interface = _NoSessions()

    def create_url_adapter(self, request: Request | None) -> MapAdapter | None:
        """Routes depend on method and path alone, so the host, whatever a caller says there, is not looked at."""
        if request is None:
            return super().create_url_adapter(None)
        environ = request.environ
        # Undecoded: routes and ids are ASCII, and other bytes are unknown either way.
        path = environ.get("PATH_INFO", "")
        return MapAdapter(self.url_map, "", "/", "", "http", path, environ["REQUEST_METHOD"])

    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        """The function itself: none of ours is asynchronous, and Flask would look into each for every request."""
        return func


def create_app(service: Service, verifier: TokenVerifier) -> BookingApi:
    """The whole API over `service`, for customers whose tokens `verifier` accepts.

    Connects to nothing and reads no environment; where OpenTelemetry was set up in this process before, requests are
    traced. Each call makes an application of its own; its metrics are
    registered in `service.registry`, which therefore serves one application.
    """
    app = BookingApi("booking_api", static_folder=None, template_folder=None)
    app.config["PROVIDE_AUTOMATIC_OPTIONS"] = False
    app.url_map.merge_slashes = False
    limit_bodies(app, service.bodies_at_once)
    install(app, verifier)
    answer_errors(app)
    add_booking_routes(app, service)
    add_event_routes(app, service)
    add_ticket_routes(app, service)
    add_health_routes(app, service)
    add_description_routes(app)
    cors = Cors(service.cors_origins)
    _answer_preflights(app, cors)
    accounting = AccessLog(_metrics_of(service, app), service.pseudonym_key)
    app.gateway_responses = GatewayResponses(cors, accounting, verifier, service.store)
    app.after_request(Finisher(cors, accounting).finish)
    trace_requests(app, tracer_provider())
    return app


def _metrics_of(service: Service, app: Flask) -> HttpMetrics:
    pool_metrics = PoolMetrics(service.store, service.catalog_cache.catalog, service.registry)
    metrics = HttpMetrics(service.registry, pool_metrics.refresh_if_due)
    metrics.begin(routes_of(app))
    # Now already: where several processes serve, this one's connections count before its first request too.
    pool_metrics.refresh()
    return metrics


def _answer_preflights(app: Flask, cors: Cors) -> None:
    """No route knows OPTIONS: a preflight arrives as a method that is not allowed, together with those that are."""

    @app.errorhandler(MethodNotAllowed)
    def preflight_or_refusal(error: MethodNotAllowed) -> Response:
        return cors.preflight(current_api_request(), error.valid_methods or ()) or answer_http_error(error)
