"""As little of an HTTP client as will do, for load that has to decide by itself what to ask next."""

import asyncio
import sys
from typing import Final
from urllib.parse import urlsplit

_TIMEOUT_SECONDS: Final = 10.0
_LONGEST_HEAD: Final = 64 * 1024
_LENGTH: Final = b"\r\ncontent-length:"
UNANSWERED: Final = 0

Answer = tuple[int, bytes]


class Caller:
    """One connection, kept open; made anew after it was lost. For `Content-Length` bodies alone."""

    def __init__(self, url: str) -> None:
        self._address = urlsplit(url)
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def connect(self) -> None:
        """Raises OSError."""
        self._streams = await asyncio.open_connection(self._address.hostname, self._address.port, limit=_LONGEST_HEAD)

    def close(self) -> None:
        """Done with it."""
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None

    async def ask(self, token: str, method: str, path: str, body: str = "", key: str = "") -> Answer:
        """Status and body; UNANSWERED without a whole answer within 10 s, and why on standard error."""
        head = f"{method} {path} HTTP/1.1\r\nHost: {self._address.netloc}\r\nAuthorization: Bearer {token}\r\n"
        if body:
            head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
        if key:
            head += f"Idempotency-Key: {key}\r\n"
        try:
            async with asyncio.timeout(_TIMEOUT_SECONDS):
                return await self._exchange(f"{head}\r\n{body}".encode())
        except (OSError, EOFError, asyncio.LimitOverrunError) as error:
            print(f"no answer to {method} {path}: {error!r}", file=sys.stderr)
            self.close()
            return UNANSWERED, b""

    async def _exchange(self, request: bytes) -> Answer:
        if self._streams is None:
            await self.connect()
        assert self._streams is not None
        reader, writer = self._streams
        writer.write(request)
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        at = head.index(_LENGTH) + len(_LENGTH)
        length = int(head[at : head.index(b"\r\n", at)])
        return int(head[9:12]), await reader.readexactly(length)
