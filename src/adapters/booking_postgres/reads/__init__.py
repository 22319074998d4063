"""Reading without locks: bookings, lists, seat maps, statistics. May import the driver."""
