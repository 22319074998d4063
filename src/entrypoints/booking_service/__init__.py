"""Settings, the composition root, catalog files and the checks of `booking doctor`.

May import booking_core, booking_telemetry, booking_workers and booking_api; `composition` alone may name an adapter.
"""
