"""The HTTP interface: parses, calls a use case, renders. May import booking_telemetry and booking_core.

From the lowest to the highest: auth, http, service, routes, openapi and gateway_responses, gateway_reservations, app.
"""
