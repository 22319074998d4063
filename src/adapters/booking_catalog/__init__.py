"""The catalog port over the Catalog Service's REST API. May import booking_core.

client.py is the adapter, http_client.py sends its requests with retries behind circuit_breaker.py, transport.py keeps
the deadline of a call on every socket operation, and responses.py validates what the service sends.
"""
