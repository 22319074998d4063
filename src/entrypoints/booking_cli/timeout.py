"""An answer in time, or none: for what may be silent for longer than anybody waits at a terminal."""

from collections.abc import Callable
from concurrent.futures import Future
from threading import Thread
from typing import TypeVar

T = TypeVar("T")


def answer_within(seconds: float, ask: Callable[[], T]) -> T:
    """What `ask` returns, or raises; TimeoutError if it takes longer than `seconds`.

    It is asked in a thread of its own, which goes on then, and ends with the process.
    """
    told: Future[T] = Future()

    def asked() -> None:
        try:
            told.set_result(ask())
        except BaseException as error:  # whoever waits for the answer raises it
            told.set_exception(error)

    Thread(target=asked, name="asked", daemon=True).start()
    return told.result(seconds)
