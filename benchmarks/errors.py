"""What keeps a scenario from being measured."""


class BenchmarkFailed(Exception):
    """The scenario cannot be measured here, or did something wrong; the text says what, and what to do, in one line."""
