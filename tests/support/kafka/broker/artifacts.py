"""What a broker needs: a Java to run it, and its jars, fetched once with Maven into the user's cache."""

import fcntl
import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Final

VERSION: Final = "4.4.0"
# The newest that is in Maven's repository: 4.4.0 was published without it. The tools speak with brokers of any version.
TOOLS_VERSION: Final = "4.3.1"
_OLDEST_JAVA: Final = 17
_BROKER: Final = f"<artifactId>kafka_2.13</artifactId><version>{VERSION}</version>"
# A quarter of its weight is Kafka Connect, of which the console tools use nothing.
_TOOLS: Final = f"""<artifactId>kafka-tools</artifactId><version>{TOOLS_VERSION}</version>
      <exclusions><exclusion>
        <groupId>org.apache.kafka</groupId><artifactId>connect-runtime</artifactId>
      </exclusion></exclusions>"""
# slf4j 1.7 is the interface that Kafka logs to; without an implementation it complains and says nothing.
_POM: Final = """<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>tests</groupId><artifactId>kafka</artifactId><version>1</version>
  <dependencies>
    <dependency>
      <groupId>org.apache.kafka</groupId>{artifact}
    </dependency>
    <dependency><groupId>org.slf4j</groupId><artifactId>slf4j-simple</artifactId><version>1.7.36</version></dependency>
  </dependencies>
</project>
"""


class NotInstalled(Exception):
    """Something that the broker needs is missing; the message is one line that says what to install."""


def java() -> str:
    """The program, from JAVA_HOME or PATH. Raises NotInstalled unless it is new enough."""
    home = os.environ.get("JAVA_HOME")
    found = str(Path(home, "bin", "java")) if home else shutil.which("java")
    wanted = f"Java {_OLDEST_JAVA} or newer (Debian, Ubuntu: apt-get install openjdk-17-jre-headless)"
    if found is None or not Path(found).exists():
        raise NotInstalled(f"to test with Kafka, install {wanted}")
    said = subprocess.run([found, "-version"], capture_output=True, text=True, timeout=60).stderr
    version = re.search(r'version "(\d+)', said)
    if version is None or int(version[1]) < _OLDEST_JAVA:
        raise NotInstalled(f"to test with Kafka, install {wanted}; {found} is older")
    return found


def libraries() -> Path:
    """The directory of the broker's jars. Of several processes that ask at once, one fetches and the others wait.

    Raises NotInstalled if they are not there yet and Maven is missing or fails.
    """
    return _fetched_once(f"kafka-{VERSION}", _BROKER)


def tools() -> Path:
    """The same for the console tools: apart from the broker's, for what both use may differ in version."""
    return _fetched_once(f"kafka-tools-{TOOLS_VERSION}", _TOOLS)


def _fetched_once(name: str, artifact: str) -> Path:
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "booking-core", name)
    jars = cache / "libs"
    if not jars.exists():
        cache.mkdir(parents=True, exist_ok=True)
        with (cache / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not jars.exists():
                _fetch(jars, _POM.format(artifact=artifact))
    return jars


def _fetch(jars: Path, pom: str) -> None:
    """Beside its place first, so that a directory with the right name is always complete."""
    maven = shutil.which("mvn")
    if maven is None:
        raise NotInstalled("to test with Kafka, install Maven to fetch it (Debian, Ubuntu: apt-get install maven)")
    with tempfile.TemporaryDirectory(dir=jars.parent) as directory:
        Path(directory, "pom.xml").write_text(pom)
        copy = [maven, "-q", "-B", "dependency:copy-dependencies", "-DoutputDirectory=libs"]
        run = subprocess.run(copy, cwd=directory, capture_output=True, text=True, timeout=600)
        if run.returncode != 0:
            said = next((line for line in run.stdout.splitlines() if "ERROR" in line), "no reason was given")
            raise NotInstalled(f"to test with Kafka, let Maven fetch it: {said[:200]}")
        Path(directory, "libs").rename(jars)
