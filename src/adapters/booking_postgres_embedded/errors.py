"""What callers have to expect from this package, besides success."""


class EmbeddedPostgresError(RuntimeError):
    """One line for a person: what failed, where to look, what to do about it."""
