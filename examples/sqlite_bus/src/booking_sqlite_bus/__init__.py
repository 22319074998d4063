"""The event bus of booking-core in one SQLite file, for the processes of one machine."""
