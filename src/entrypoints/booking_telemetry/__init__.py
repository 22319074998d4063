"""Metric specs, logs, traces and readiness, for the API and the workers. Imports booking_core alone."""
