"""All ports in memory, with the same promises as the adapters of real services. May import booking_core alone."""
