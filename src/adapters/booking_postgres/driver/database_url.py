"""The database's URL: whatever libpq takes, which also reads it, and one parameter of our own."""

import re
from collections.abc import Mapping
from typing import Final, Self

import psycopg
from attrs import field, frozen
from psycopg.conninfo import conninfo_to_dict

_URI: Final = re.compile(r"postgres(?:ql)?(?:\+\w+)?://")
_OWN: Final = re.compile(r"(?<![^?&\s])prepare_threshold\s*=\s*([^&\s]*)(&|\s+|$)")
_UNKNOWN: Final = re.compile(r'invalid (?:URI query parameter|connection option):? "(\w+)"')
_NEVER: Final = ("none", "off", "")
_PORTS: Final = re.compile(r"[0-9]{0,5}(,[0-9]{0,5})*")
_ENCODE: Final = "in user and password, @ : / ? # and % are written as %40 %3A %2F %3F %23 and %25"


@frozen(kw_only=True)
class DatabaseUrl:
    """A database as libpq names it. `preparing`: "none", "yes", or None where the URL does not say.

    `parameters` are libpq's, the password included. `place` is for people: hosts with their ports, and the database.
    """

    parameters: Mapping[str, str] = field(repr=False)
    preparing: str | None = None

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a URL, or libpq's keywords and values. Raises ValueError with one line that quotes no secret."""
        given = text.strip()
        is_uri = _URI.match(given) is not None
        if not is_uri and ("://" in given or "=" not in given):
            raise ValueError("is not a database URL: it must look like postgresql://user:password@host:5432/name")
        threshold = _OWN.search(given)
        rest = _OWN.sub("", given).rstrip("?&")
        try:
            parsed = conninfo_to_dict(_URI.sub("postgresql://", rest, count=1))
        except psycopg.Error as error:
            # Any other text of libpq may quote a part of the password.
            unknown = _UNKNOWN.search(str(error))
            if unknown and "@" not in rest.partition("?")[2]:
                raise ValueError(f"has the parameter {unknown[1]}, which libpq does not know") from None
            raise ValueError(f"cannot be read by libpq: {_ENCODE}") from None
        parameters = {name: str(value) for name, value in parsed.items() if value is not None}
        if is_uri and any("@" in parameters.get(name, "") for name in ("host", "port", "dbname")):
            raise ValueError(f"has a second @: {_ENCODE}")
        ports = parameters.get("port", "")
        if not _PORTS.fullmatch(ports) or not all(1 <= int(port) <= 65535 for port in ports.split(",") if port):
            raise ValueError("has a port that is none: it must be a number from 1 to 65535")
        return cls(parameters=parameters, preparing=_preparing(threshold and threshold[1]))

    @property
    def place(self) -> str:
        """Hosts with their ports, and the database; without user and password."""
        given = self.parameters
        service = f"the service {given['service']}" if "service" in given else "the local socket"
        hosts = (given.get("host") or given.get("hostaddr") or service).split(",")
        ports = given.get("port", "").split(",")
        if len(ports) == 1:
            ports *= len(hosts)
        shown = [
            f"{f'[{host}]' if ':' in host else host}{f':{port}' if port else ''}"
            for host, port in zip(hosts, ports, strict=False)
        ]
        return f"{','.join(shown)}/{given.get('dbname', '')}"


def _preparing(threshold: str | None) -> str | None:
    if threshold is None:
        return None
    if threshold.lower() in _NEVER:
        return "none"
    if not threshold.isdecimal():
        raise ValueError("has a prepare_threshold that is neither a number nor none")
    return "yes"
