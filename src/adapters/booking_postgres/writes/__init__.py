"""Writes of a unit of work: reservation, bookings, events, responses, expiry. May import the rows and the driver."""
