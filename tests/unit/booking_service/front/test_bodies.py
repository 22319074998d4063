"""Reading bodies: bounded in time and in length."""

import asyncio
from collections.abc import AsyncIterator, Mapping

import pytest

from booking_api.limits import LONGEST_BODY
from booking_service.front import front
from booking_service.front.front import _body_of


class Protocol:
    """granian's, for one request: these chunks, and then silence if `stalls`."""

    def __init__(self, *chunks: bytes, stalls: bool = False) -> None:
        self.chunks, self.stalls, self.read = chunks, stalls, 0

    async def __call__(self) -> bytes:
        return b"".join([chunk async for chunk in self])

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for chunk in self.chunks:
            self.read += 1
            yield chunk
        if self.stalls:
            await asyncio.Event().wait()


def body_of(method: str, headers: Mapping[str, str], protocol: Protocol) -> bytes:
    return asyncio.run(_body_of(method, headers, protocol))


@pytest.mark.parametrize("headers", [{"content-length": "5"}, {"transfer-encoding": "chunked"}, {}])
def test_a_body_arrives_whole(headers: dict[str, str]) -> None:
    assert body_of("POST", headers, Protocol(b"he", b"llo")) == b"hello"


@pytest.mark.parametrize("method", ["GET", "DELETE"])
def test_who_announces_no_body_is_not_waited_for(method: str) -> None:
    assert body_of(method, {}, Protocol(b"never read", stalls=True)) == b""
    assert body_of("POST", {"content-length": "0"}, Protocol(b"never read", stalls=True)) == b""


@pytest.mark.parametrize("length", [{}, {"content-length": "999999999"}, {"content-length": "٣"}])
def test_no_more_is_read_than_shows_that_it_is_too_long(length: dict[str, str]) -> None:
    protocol = Protocol(*[b"x" * 30_000] * 100)

    assert body_of("POST", length, protocol) == b"x" * (LONGEST_BODY + 1)
    assert protocol.read == 3


@pytest.mark.parametrize("headers", [{"content-length": "10"}, {}])
def test_a_body_that_does_not_come_is_given_up(headers: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(front, "BODY_SECONDS", 0.01)

    with pytest.raises(TimeoutError):
        body_of("POST", headers, Protocol(b"{", stalls=True))
