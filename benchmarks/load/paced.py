"""Requests at a steady rate, whatever the answers do: `python -m benchmarks.load.paced URL FILE RATE SECONDS`.

An answer's time counts from when its request was due, not from when a connection was free for it: a service that
stands still for a second shows a second. Prints `started` when the first is due, and at the end, as JSON, the clock at
the start and of each request when it was due after that, how many milliseconds its answer took, and its status (0: none
came). SIGTERM ends it early, with all the answers until then.
"""

import itertools
import json
import signal
import sys
import threading
import time
from collections.abc import Sequence
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

_THREADS: Final = 48
_TIMEOUT_SECONDS: Final = 10.0

Answer = tuple[float, float, int]


def main() -> None:
    url, file, rate, seconds = sys.argv[1:]
    requests = [line.split(" ") for line in Path(file).read_text().splitlines()]
    requests = requests[: int(float(rate) * float(seconds))]
    stream = _Stream(url, requests, float(rate))
    signal.signal(signal.SIGTERM, lambda *_: stream.stop())
    print(json.dumps({"started_at": stream.started_at, "answers": stream.run()}))


class _Stream:
    def __init__(self, url: str, requests: Sequence[Sequence[str]], rate: float) -> None:
        self._address = urlsplit(url)
        self._requests, self._rate = requests, rate
        self._numbers = itertools.count()
        self._answers: list[Answer] = []
        self._last = len(requests)
        # Connections are opened meanwhile.
        self._start = time.monotonic() + 0.5
        self.started_at = time.time() + 0.5

    def run(self) -> list[Answer]:
        threads = [threading.Thread(target=self._work) for _ in range(_THREADS)]
        for thread in threads:
            thread.start()
        time.sleep(max(0.0, self._start - time.monotonic()))
        print("started", flush=True)
        for thread in threads:
            thread.join()
        return self._answers

    def stop(self) -> None:
        """Begin no other request."""
        self._last = 0

    def _work(self) -> None:
        connection = HTTPConnection(str(self._address.hostname), self._address.port, timeout=_TIMEOUT_SECONDS)
        connection.connect()
        # next() of a counter is one step of the interpreter: no two threads get the same number.
        while (number := next(self._numbers)) < self._last:
            due = number / self._rate
            time.sleep(max(0.0, self._start + due - time.monotonic()))
            status = _send(connection, self._requests[number])
            self._answers.append((due, (time.monotonic() - self._start - due) * 1000, status))
        connection.close()


def _send(connection: HTTPConnection, request: Sequence[str]) -> int:
    token, method, path, body, key = request
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    if key:
        headers["Idempotency-Key"] = key
    try:
        connection.request(method, path, body=body or None, headers=headers)
        answer = connection.getresponse()
        answer.read()
    except (OSError, HTTPException):
        connection.close()
        return 0
    return answer.status


if __name__ == "__main__":
    main()
