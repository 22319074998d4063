"""The catalog port of booking_core over the Catalog Service's REST interface."""
