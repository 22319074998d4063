"""The routes of orchestrators and monitoring, without a token."""

from attrs import frozen
from flask import Flask, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from booking_api.http.access_log import ALIVE, READY
from booking_api.http.errors import error_response
from booking_api.http.flask_app import success
from booking_api.service import Service
from booking_telemetry.readiness import Readiness, problem_of


def add_health_routes(app: Flask, service: Service) -> None:
    """Add `/healthz`, `/readyz` and `/metrics`."""
    routes = HealthRoutes(service, Readiness(service.store))
    app.add_url_rule(ALIVE, "healthz", routes.healthz, methods=["GET"])
    app.add_url_rule(READY, "readyz", routes.readyz, methods=["GET"])
    app.add_url_rule("/metrics", "metrics", routes.metrics, methods=["GET"])


@frozen
class HealthRoutes:
    """One method a route."""

    service: Service
    readiness: Readiness

    def healthz(self) -> Response:
        """200: this process responds."""
        return success({"status": "ALIVE"})

    def readyz(self) -> Response:
        """200 if the store can be used, otherwise 503 with the reason; checked at most 1 s ago, writes 10 s."""
        health = self.readiness.health()
        if health.is_ready:
            return success({"status": "READY"})
        response = error_response("SERVICE_BUSY", problem_of(health.kind), {"reason": health.kind.value})
        response.headers["Retry-After"] = "1"
        return response

    def metrics(self) -> Response:
        """200 with the metrics in Prometheus' text format."""
        write = self.service.metrics
        return Response(
            write() if write is not None else generate_latest(self.service.registry), content_type=CONTENT_TYPE_LATEST
        )
