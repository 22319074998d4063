"""One request as granian describes it to an RSGI application, and granian's side of the response."""

from collections.abc import Mapping
from typing import Any

from attrs import define, field


class Headers(dict[str, str]):
    """The headers of a request, by their names in lower case; HTTP/1.1 always has a host."""

    def __init__(self, *given: Mapping[str, str], **more: str) -> None:
        super().__init__({"host": "booking.test"})
        self.update(*given, **more)


@define
class Scope:
    """The description of a request."""

    method: str = "POST"
    path: str = "/api/v1/bookings"
    query_string: str = "page=2"
    server: str = "127.0.0.1:8000"
    client: str = "10.0.0.7:5555"
    scheme: str = "http"
    http_version: str = "1.1"
    authority: str | None = None
    headers: Headers = field(factory=Headers)


@define
class Protocol:
    """Gives the body of one request, and keeps the response."""

    body: bytes = b""
    responses: list[tuple[int, Any, bytes]] = field(factory=list)

    def response_bytes(self, status: int, headers: Any, body: bytes) -> None:
        self.responses.append((status, headers, body))

    async def __call__(self) -> bytes:
        return self.body
