"""What scenarios stand on, each part made when the first of them asks for it and gone at the end."""

import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import cached_property
from pathlib import Path
from typing import Final, Self

from benchmarks.environment import databases, issuer, programs, services
from benchmarks.environment.brokers import Brokers, real_brokers
from benchmarks.environment.services import Service
from booking_dev.tokens import DevTokens
from booking_postgres_embedded import EmbeddedPostgres

_SIGNED: Final = "signed"


class Ground:
    """PostgreSQL, Kafka and the issuer of tokens, shared by all scenarios of a run; everything on loopback."""

    def __init__(self, tokens: Path | None = None) -> None:
        """`tokens`: where the key and what it has signed are kept for another run; signing takes half of a run."""
        self._stack = ExitStack()
        self._kept = tokens
        self._signed: list[str] = []

    def __enter__(self) -> Self:
        if self._kept is not None and (self._kept / _SIGNED).is_file():
            self._signed = (self._kept / _SIGNED).read_text().split()
        return self

    def __exit__(self, *_: object) -> None:
        if self._kept is not None:
            (self._kept / _SIGNED).write_text("\n".join(self._signed))
        self._stack.close()

    @cached_property
    def directory(self) -> Path:
        """For files of requests and the like."""
        return Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="booking-bench-")))

    @cached_property
    def server(self) -> EmbeddedPostgres:
        """PostgreSQL, durable."""
        return self._stack.enter_context(databases.postgres())

    @cached_property
    def brokers(self) -> Brokers:
        """Kafka. Raises BenchmarkFailed where none can run."""
        return self._stack.enter_context(real_brokers())

    @cached_property
    def tokens(self) -> DevTokens:
        """Signs the customers' tokens."""
        return DevTokens(self._kept or self.directory, issuer.ISSUER, issuer.AUDIENCE)

    @cached_property
    def token_settings(self) -> dict[str, str]:
        """What `booking serve` is told about who signs."""
        return issuer.settings_of(self._stack.enter_context(issuer.serving_keys(self.tokens)))

    @contextmanager
    def migrated(self, name: str, *, program: str = programs.PROGRAM) -> Iterator[str]:
        """The URL of a new database with our tables, as that `booking` makes them."""
        with databases.database(self.server, name) as url:
            programs.booking(url, "migrate", program=program)
            yield url

    @contextmanager
    def copy(self, name: str) -> Iterator[str]:
        """The URL of a copy of that database, written out, to be spoiled by one run."""
        with databases.database(self.server, f"{name}_run", name) as url:
            databases.checkpoint(url)
            yield url

    @contextmanager
    def serving(self, url: str, *, program: str = programs.PROGRAM, **settings: str) -> Iterator[Service]:
        """`booking serve` on that database, taking our tokens; keywords are more settings by their whole names."""
        with services.serving(url, program=program, **self.token_settings, **settings) as service:
            yield service

    def file(self, name: str, text: str) -> Path:
        """A file with that text."""
        path = self.directory / name
        path.write_text(text)
        return path

    def token(self, number: int) -> str:
        """The token of customer `number`, whose id is `user_of(number)`; signed once, for signing takes its time."""
        while len(self._signed) <= number:
            self._signed.append(self.tokens.sign(user_of(len(self._signed))))
        return self._signed[number]


def user_of(number: int) -> str:
    """The id of a customer."""
    return f"auth0|{number:024x}"


def request_line(token: str, method: str, path: str, body: str = "", key: str = "") -> str:
    """A line for wrk and for the paced stream; the body and the idempotency key without blanks."""
    return f"{token} {method} {path} {body} {key}\n"
