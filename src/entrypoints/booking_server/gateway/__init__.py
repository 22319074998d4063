"""The gateway between sockets and application: admission control and request coalescing (ADR 0016).

May import booking_api's gateway responses and limits, and granian.
"""

from booking_server.gateway.gateway import Gateway

__all__ = ["Gateway"]
