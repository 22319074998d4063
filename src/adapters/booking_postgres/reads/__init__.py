"""Reads without locks: bookings, lists, seat maps, statistics. May import the rows and the driver."""
