"""Logs, metric specs, OpenTelemetry's set-up and readiness, for the API and the workers. May import booking_core."""
