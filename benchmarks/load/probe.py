"""Whether the service still says that it is alive, asked as an orchestrator asks: on a new connection each time."""

import threading
import time
from http.client import HTTPConnection, HTTPException
from typing import Final, Self
from urllib.parse import urlsplit

from benchmarks.figures import percentile

_EVERY_SECONDS: Final = 0.05
_TIMEOUT_SECONDS: Final = 5.0


class Probe:
    """Asks /healthz every 50 ms while its block runs. An answer's time counts from when the question was due."""

    def __init__(self, address: str) -> None:
        self._address = urlsplit(address)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._ask_on)
        self._took: list[float] = []
        self.failed = 0

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    @property
    def longest(self) -> float:
        """Milliseconds."""
        return percentile(self._took, 100)

    @property
    def p95(self) -> float:
        """Milliseconds."""
        return percentile(self._took, 95)

    def _ask_on(self) -> None:
        due = time.monotonic()
        while not self._over.wait(max(0.0, due - time.monotonic())):
            self.failed += not self._is_alive()
            self._took.append((time.monotonic() - due) * 1000)
            due += _EVERY_SECONDS

    def _is_alive(self) -> bool:
        connection = HTTPConnection(str(self._address.hostname), self._address.port, timeout=_TIMEOUT_SECONDS)
        try:
            connection.request("GET", "/healthz")
            return connection.getresponse().status == 200
        except (OSError, HTTPException):
            return False
        finally:
            connection.close()
