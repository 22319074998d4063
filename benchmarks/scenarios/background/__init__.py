"""Scenarios of what runs beside the API: relay, consumer, expiry, cancellation of an event, start of the commands."""
