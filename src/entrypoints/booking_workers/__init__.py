"""Relay, consumer, expiry, event cancellation, retention and both replays: a library over the ports.

May import booking_core and booking_telemetry.
"""
