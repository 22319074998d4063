"""The HTTP interface: parses, calls a use case, renders."""
