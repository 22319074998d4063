"""The routes of orchestrators and monitoring, without a token."""

from typing import Final

import structlog
from attrs import frozen
from flask import Flask, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from booking_api.auth.verifier import TokenVerifier
from booking_api.http.access_log import ALIVE, READY
from booking_api.http.errors import error_response
from booking_api.http.flask_app import success
from booking_api.service import Service
from booking_telemetry.readiness import Readiness, problem_of

_NO_KEYS: Final = "no_signing_keys"

_log = structlog.get_logger(__name__)


def add_health_routes(app: Flask, service: Service, verifier: TokenVerifier) -> None:
    """Add `/healthz`, `/readyz` and `/metrics`."""
    routes = HealthRoutes(service, verifier, Readiness(service.store))
    app.add_url_rule(ALIVE, "healthz", routes.healthz, methods=["GET"])
    app.add_url_rule(READY, "readyz", routes.readyz, methods=["GET"])
    app.add_url_rule("/metrics", "metrics", routes.metrics, methods=["GET"])


@frozen
class HealthRoutes:
    """One method a route."""

    service: Service
    verifier: TokenVerifier
    readiness: Readiness

    def healthz(self) -> Response:
        """200: this process responds."""
        return success({"status": "ALIVE"})

    def readyz(self) -> Response:
        """200 if the store can be used and the issuer's keys have been read, otherwise 503 with the reason.

        The store was checked at most 1 s ago, whether it takes writes 10 s. Keys that were once read are enough: the
        process goes on with them while the issuer is down.
        """
        health = self.readiness.health()
        if not health.is_ready:
            return self._not_ready(problem_of(health.kind), health.kind.value)
        if not self.verifier.has_keys():
            _log.warning("readiness.trouble", kind=_NO_KEYS, issuer=self.verifier.issuer)
            problem = f"The keys of the token issuer have not been read yet ({_NO_KEYS}); the log has the details"
            return self._not_ready(problem, _NO_KEYS)
        return success({"status": "READY"})

    def _not_ready(self, problem: str, reason: str) -> Response:
        response = error_response("SERVICE_BUSY", problem, {"reason": reason})
        response.headers["Retry-After"] = "1"
        return response

    def metrics(self) -> Response:
        """200 with the metrics in Prometheus' text format."""
        write = self.service.metrics
        return Response(
            write() if write is not None else generate_latest(self.service.registry), content_type=CONTENT_TYPE_LATEST
        )
