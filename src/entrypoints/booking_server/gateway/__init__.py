"""What stands between the sockets and the application: who goes in, who waits, who is turned away (ADR 0016)."""

from booking_server.gateway.gateway import Gateway

__all__ = ["Gateway"]
