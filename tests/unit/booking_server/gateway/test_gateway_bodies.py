"""Reading bodies: bounded in time and in length."""

import asyncio
from collections.abc import AsyncIterator, Mapping

import pytest

from booking_api.http.flask_app import LONGEST_BODY
from booking_core.application.system_runtime import SYSTEM_RUNTIME
from booking_server.gateway.gateway import BodyReader


class Protocol:
    """granian's, for one request: these chunks, and then silence if `stalls`, until it is to `should_continue`."""

    def __init__(self, *chunks: bytes, stalls: bool = False) -> None:
        self.chunks, self.stalls, self.read = chunks, stalls, 0
        self.should_continue = asyncio.Event()

    async def __call__(self) -> bytes:
        return b"".join([chunk async for chunk in self])

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for chunk in self.chunks:
            self.read += 1
            yield chunk
        if self.stalls:
            await self.should_continue.wait()


def reader(timeout: float = 10.0) -> BodyReader:
    return BodyReader(asyncio.get_running_loop(), SYSTEM_RUNTIME, timeout)


def body_of(method: str, headers: Mapping[str, str], protocol: Protocol, timeout: float = 10.0) -> bytes:
    async def read() -> bytes:
        return await reader(timeout).read(method, headers, protocol)

    return asyncio.run(read())


@pytest.mark.parametrize("headers", [{"content-length": "5"}, {"transfer-encoding": "chunked"}, {}])
def test_a_body_arrives_whole(headers: dict[str, str]) -> None:
    assert body_of("POST", headers, Protocol(b"he", b"llo")) == b"hello"


@pytest.mark.parametrize("method", ["GET", "DELETE"])
def test_a_request_without_a_body_is_not_read(method: str) -> None:
    assert body_of(method, {}, Protocol(b"never read", stalls=True)) == b""
    assert body_of("POST", {"content-length": "0"}, Protocol(b"never read", stalls=True)) == b""


@pytest.mark.parametrize("length", [{}, {"content-length": "999999999"}, {"content-length": "٣"}])
def test_a_body_is_read_until_it_is_too_long(length: dict[str, str]) -> None:
    protocol = Protocol(*[b"x" * 30_000] * 100)

    assert body_of("POST", length, protocol) == b"x" * (LONGEST_BODY + 1)
    assert protocol.read == 3


@pytest.mark.parametrize("headers", [{"content-length": "10"}, {}])
def test_a_body_that_does_not_arrive_times_out(headers: dict[str, str]) -> None:
    with pytest.raises(TimeoutError):
        body_of("POST", headers, Protocol(b"{", stalls=True), timeout=0.01)


def test_a_late_body_is_the_only_one_that_times_out() -> None:
    asked = {"content-length": "10"}

    async def read() -> tuple[bytes | BaseException, bytes | BaseException]:
        bodies = reader(timeout=0.2)
        late = asyncio.create_task(bodies.read("POST", asked, Protocol(b"{", stalls=True)))
        await asyncio.sleep(0.15)
        slow = Protocol(b"in time", stalls=True)
        in_time = asyncio.create_task(bodies.read("POST", asked, slow))
        await asyncio.wait([late])
        assert not in_time.done()
        slow.should_continue.set()
        return await asyncio.gather(late, in_time, return_exceptions=True)

    given_up, whole = asyncio.run(read())
    assert isinstance(given_up, TimeoutError)
    assert whole == b"in time"


def test_a_cancelled_request_stays_cancelled() -> None:
    async def read() -> None:
        reading = reader().read("POST", {"content-length": "10"}, Protocol(stalls=True))
        task = asyncio.create_task(reading)
        await asyncio.sleep(0)
        task.cancel()
        await task

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(read())
