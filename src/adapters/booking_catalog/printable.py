"""What a stranger's server says, made fit for one line of a log."""


def printable(text: str, limit: int = 300) -> str:
    """At most `limit` characters; line breaks, control characters and lone surrogates become `?`."""
    cut = text if len(text) <= limit else text[: limit - 1] + "…"
    return "".join(char if char.isprintable() else "?" for char in cut)
