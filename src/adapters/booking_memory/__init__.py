"""The ports of booking_core in memory, under the same promises as the real ones."""
