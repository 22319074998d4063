"""One broker as a process: started on free ports over its own directory, stopped, killed, frozen, started again."""

import os
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path
from typing import Final

from kafka import KafkaAdminClient
from kafka.errors import KafkaError

from tests.support.kafka.broker.properties import Ports, broker_properties

_CLUSTER_ID: Final = "MkU3OEVBNTcwNTJENDM2Qg"
# Small, quick to start, and without the file of figures that every Java keeps among the temporary ones.
_OPTIONS: Final = ["-Xms64m", "-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-XX:-UsePerfData"]
_START_SECONDS: Final = 90.0
_STOP_SECONDS: Final = 20.0


class KafkaBroker:
    """A broker whose data outlives its process, and whose ports stay the same from start to start.

    `keys` is a PEM file with a key and a certificate for 127.0.0.1.
    """

    def __init__(self, directory: Path, *, java: str, libraries: Path, keys: Path) -> None:
        self.directory = directory
        self._java, self._libraries = java, libraries
        self._process: subprocess.Popen[bytes] | None = None
        self._log = directory / "broker.log"
        plain, sasl, tls, controller = free_ports(4)
        self.bootstrap_servers, self.sasl_servers, self.tls_servers = (
            f"127.0.0.1:{port}" for port in (plain, sasl, tls)
        )
        self._properties = directory / "server.properties"
        ports = Ports(plain=plain, sasl=sasl, tls=tls, controller=controller)
        self._properties.write_text(broker_properties(data=directory / "data", keys=keys, ports=ports))

    def start(self) -> None:
        """Returns when the broker answers; does nothing while it runs. Raises RuntimeError with the end of its log."""
        if self._process is not None:
            return
        if not (self.directory / "data").exists():
            arguments = ["format", "--standalone", "-t", _CLUSTER_ID, "-c", str(self._properties)]
            command = self._command("kafka.tools.StorageTool", *arguments)
            subprocess.run(command, check=True, capture_output=True, timeout=_START_SECONDS)
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [*_dying_with_us(), *self._command("kafka.Kafka", str(self._properties))],
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=self.directory,
            )
        self._wait_until_it_answers(self._process)

    @property
    def pid(self) -> int | None:
        """Of its process; None while it is not running."""
        return None if self._process is None else self._process.pid

    def stop(self) -> None:
        """As an operator does it: SIGTERM, and wait. Does nothing when it is not running."""
        if self._process is not None:
            self.thaw()
            self._process.terminate()
            try:
                self._process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self.kill()
            self._process = None

    def kill(self) -> None:
        """kill -9: nothing is written, nobody is told."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(_STOP_SECONDS)
            self._process = None

    def freeze(self) -> None:
        """SIGSTOP: connections stay open and nothing answers, once the last of its threads has stopped."""
        self._signal(signal.SIGSTOP)
        if self._process is not None:
            os.waitid(os.P_PID, self._process.pid, os.WSTOPPED | os.WNOWAIT)

    def thaw(self) -> None:
        """SIGCONT: it goes on as if nothing had been."""
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(number)

    def _command(self, main: str, *arguments: str) -> list[str]:
        # What it unpacks to load it is left behind by a kill -9; there it goes with the rest.
        scratch = f"-Djava.io.tmpdir={self.directory}"
        return [self._java, *_OPTIONS, scratch, "-cp", f"{self._libraries}/*", main, *arguments]

    def _wait_until_it_answers(self, process: subprocess.Popen[bytes]) -> None:
        give_up_at = time.monotonic() + _START_SECONDS
        while not _lists_a_broker(self.bootstrap_servers):
            if process.poll() is not None or time.monotonic() > give_up_at:
                self.kill()
                last = self._log.read_text(errors="replace")[-3000:]
                raise RuntimeError(f"Kafka did not start:\n{last}")
            time.sleep(0.1)


def free_ports(number: int) -> list[int]:
    """So many ports of 127.0.0.1 that nobody uses now."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(number)]
    try:
        return [each.getsockname()[1] for each in sockets]
    finally:
        for each in sockets:
            each.close()


def _lists_a_broker(bootstrap_servers: str) -> bool:
    host, _, port = bootstrap_servers.partition(":")
    try:
        socket.create_connection((host, int(port)), timeout=1).close()
    except OSError:
        return False  # the client would wait for it, and log that
    try:
        admin = KafkaAdminClient(bootstrap_servers=bootstrap_servers, api_version=(2, 6), request_timeout_ms=5000)
    except KafkaError:
        return False
    try:
        return bool(admin.describe_cluster()["brokers"])
    except KafkaError:
        return False
    finally:
        admin.close()


def _dying_with_us() -> list[str]:
    """A test run that is killed leaves no broker behind, where the system can see to that."""
    if os.uname().sysname == "Linux" and (setpriv := shutil.which("setpriv")):
        return [setpriv, "--pdeathsig", "KILL"]
    return []
