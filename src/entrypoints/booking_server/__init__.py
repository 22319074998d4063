"""Granian, its processes and sockets, and the gateway before the application.

May import booking_api and booking_service.
"""
