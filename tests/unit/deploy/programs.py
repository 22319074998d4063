"""What the files in `deploy/` start, and what the program itself says to that."""

import inspect
import re
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NoReturn, cast

import yaml
from attrs import frozen
from flask import Flask

from booking_api.routes.health import add_health_routes
from booking_api.service import Service
from booking_cli.invocation import Invocation
from booking_cli.main import cli
from booking_memory.adapter import create_store
from booking_server.graceful_server import STOP_TIMEOUT
from booking_service.settings import DB_CONNECTIONS, SETTINGS, Settings
from booking_telemetry.readiness import Readiness
from booking_workers.health import WorkerHealth
from booking_workers.jobs import run_together

ROOT: Final = Path(__file__).parents[3]
DEPLOY: Final = ROOT / "deploy"
# What the specification allows the service, and what an operator's command takes of it.
MOST_CONNECTIONS: Final = 20
A_COMMAND: Final = 1
NAMES: Final = frozenset(setting.name for setting in SETTINGS)

# How long the two kinds of long-running programs may take for what they have in hand.
DRAINS_WITHIN_SECONDS: Final = {
    "serve": STOP_TIMEOUT,
    "worker": float(inspect.signature(run_together).parameters["stop_timeout"].default),
}


@frozen(kw_only=True)
class Program:
    """One call of `booking`: its arguments, and the settings as they are written."""

    arguments: tuple[str, ...]
    environ: Mapping[str, str]

    @property
    def command(self) -> str:
        return self.arguments[0]

    @property
    def options(self) -> Mapping[str, Any]:
        """The arguments as the command line understands them. Raises click.UsageError."""
        with cli.load(self.command).make_context(self.command, list(self.arguments[1:])) as context:
            return context.params

    @property
    def port(self) -> int:
        """Where it answers probes."""
        port = self.options["port"] if self.command == "serve" else self.settings().worker_port
        assert isinstance(port, int), self
        return port

    def settings(self) -> Settings:
        """The settings that it would start with. Raises what would stop it: SettingsError, click.UsageError."""
        assert self.environ.keys() <= NAMES, f"no settings of ours: {self.environ.keys() - NAMES}"
        try:
            cli.main(
                list(self.arguments),
                prog_name="booking",
                standalone_mode=False,
                obj=Invocation(environ=self.environ, compose=_compose),
            )
        except _Composed as composed:
            return composed.settings
        raise AssertionError(f"{self.arguments} has put nothing together")


class _Composed(Exception):
    def __init__(self, settings: Settings) -> None:
        super().__init__()
        self.settings = settings


def _compose(settings: Settings) -> NoReturn:
    raise _Composed(settings)


def database_connections(program: Program) -> int:
    """The most that it opens, all its processes together."""
    return int(program.environ.get("BOOKING_DB_CONNECTIONS") or DB_CONNECTIONS.get(program.command, 1))


def probe_paths(command: str) -> frozenset[str]:
    """The paths at which `serve` or `worker` answers without a token."""
    if command == "serve":
        app = Flask("probes")
        add_health_routes(app, Service(store=create_store({}), catalog_cache=cast(Any, None)), cast(Any, None))
        return frozenset(rule.rule for rule in app.url_map.iter_rules())
    health = WorkerHealth(lambda: True, Readiness(create_store({})), lambda: b"")
    return frozenset(path for path in ("/healthz", "/readyz", "/metrics") if health.reply(path)[0] != 404)


def asked_url(check: Sequence[str]) -> tuple[int, str]:
    """Port and path that a container's health check asks."""
    [(port, path)] = re.findall(r"http://127\.0\.0\.1:(\d+)(/[\w./-]+)", " ".join(check))
    return int(port), path


def version() -> str:
    """The project's."""
    table = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    return str(table["project"]["version"])


def documents(path: Path) -> list[Any]:
    """Everything in a YAML file."""
    return list(yaml.safe_load_all(path.read_text(encoding="utf-8")))
