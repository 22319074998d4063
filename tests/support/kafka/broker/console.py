"""The console tools as an installation of Kafka has them in its `bin`: programs called `kafka-….sh`."""

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Final

_MAIN: Final[Mapping[str, str]] = {
    "kafka-topics.sh": "TopicCommand",
    "kafka-console-producer.sh": "ConsoleProducer",
    "kafka-console-consumer.sh": "consumer.ConsoleConsumer",
}
# Warnings and errors alone, as the tools' own configuration has it; the rest is for a quick start.
_LOG: Final = "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn"
_OPTIONS: Final = f"-Xmx128m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -XX:-UsePerfData {_LOG}"


def write_console_tools(directory: Path, *, java: str, tools: Path) -> None:
    """Put the programs into an existing directory. `tools` has the jars."""
    for name, main in _MAIN.items():
        scratch = shlex.quote(f"-Djava.io.tmpdir={directory}")  # one that is killed leaves what it unpacked
        start = f"exec {shlex.quote(java)} {_OPTIONS} {scratch} -cp {shlex.quote(f'{tools}/*')}"
        path = directory / name
        path.write_text(f'#!/bin/sh\n{start} org.apache.kafka.tools.{main} "$@"\n')
        path.chmod(0o755)
