"""A server for the tests: PORT, DIRECTORY, WORKERS, `replace` or `strict`, and the stop delay in seconds.

Each answer waits until there is a file `go` in the directory.

It says `began-PID` in the directory when a request has begun.
"""

import os
import sys
import time
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Any

from granian.constants import Interfaces
from granian.log import LogLevels
from prometheus_client import CollectorRegistry

from booking_api.gateway_responses import GatewayResponses
from booking_api.http.access_log import AccessLog
from booking_api.http.cors import Cors
from booking_api.http.metrics import HttpMetrics
from booking_server.gateway import Gateway
from booking_server.graceful_server import GracefulServer
from booking_server.worker_stage import WorkerStage
from booking_telemetry import logs


def load(directory: Path, stage: WorkerStage) -> Gateway:
    if (directory / "broken").exists():
        sys.exit(3)
    (directory / "loading").touch()
    while (directory / "slow").exists():
        time.sleep(0.01)

    return Gateway(Slow(directory), threads=4, stage=stage)


class Slow:
    def __init__(self, directory: Path) -> None:
        nobody: Any = None  # asks with a token
        self.gateway_responses = GatewayResponses(
            Cors(()), AccessLog(HttpMetrics(CollectorRegistry()), b"key"), nobody, nobody
        )
        self._directory = directory

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., object]) -> Iterable[bytes]:
        (self._directory / f"began-{os.getpid()}").touch()
        while not (self._directory / "go").exists():
            time.sleep(0.01)
        start_response("200 OK", [("content-type", "text/plain")])
        return [str(os.getpid()).encode()]


if __name__ == "__main__":
    port, where, workers, replace_young = int(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
    logs.configure()
    limits = {"crash_loop_age": 0.0} if replace_young == "replace" else {}
    server = GracefulServer("unused", port=port, interface=Interfaces.RSGI, workers=workers, log_level=LogLevels.error)
    # Not 1, which is what a worker of granian or a traceback would end it with.
    sys.exit(0 if server.run(partial(load, where), stop_delay=float(sys.argv[5]), **limits) else 4)
