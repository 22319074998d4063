"""The client's errors, as the port names them."""

from collections.abc import Iterator
from contextlib import contextmanager

from kafka.errors import KafkaError

from booking_core.domain.errors import BusUnavailable


def described(error: BaseException) -> str:
    """The error in one line, with its name: the client's texts alone seldom say what happened."""
    text = " ".join(str(error).split())
    name = type(error).__name__
    return text if text.startswith(name) else f"{name}: {text}" if text else name


@contextmanager
def translated(doing: str) -> Iterator[None]:
    """Raises what the client says about brokers and network as BusUnavailable; bugs stay what they are."""
    try:
        yield
    except (KafkaError, OSError) as error:
        raise BusUnavailable(f"{doing}: {described(error)}") from error
