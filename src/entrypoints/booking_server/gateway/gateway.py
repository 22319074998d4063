"""The application as granian calls it (RSGI): requests and bodies are read here, before a thread is busy with them.

The application itself stays WSGI, and blocks, in a few threads: more of them than can run would only hand the
interpreter to each other. Thousands may wait here, each for the price of a coroutine.
"""

import asyncio
import sys
from contextlib import suppress
from time import perf_counter
from typing import Any, Final

import structlog
from granian._granian import RSGIProtocolClosed

from booking_api.gateway_responses import GatewayRequest
from booking_api.http.access_log import ALIVE, PROBES
from booking_server.gateway.admission_queue import AdmissionQueue
from booking_server.gateway.bodies import Bodies
from booking_server.gateway.pending_request import Answer, PendingRequest, headers_of, reservation_in, wish_of
from booking_server.gateway.thread_pool import ThreadPool
from booking_server.gateway.wsgi import Application, answer_of

_log = structlog.get_logger(__name__)

# How long a thread keeps the interpreter while others want it: a reservation wants it a dozen times.
_TURN_SECONDS: Final = 0.001


class Gateway:
    """One for each process. `threads` requests are in the application at once, and one more for each of PROBES.

    ALIVE is answered in the event loop.
    """

    def __init__(self, application: Application, threads: int) -> None:
        self._application = application
        self._crew = ThreadPool("request", threads)
        self._crews_beside = {path: ThreadPool(path.strip("/"), 1) for path in PROBES - {ALIVE}}
        self._bodies: Bodies | None = None
        self._hall: AdmissionQueue | None = None

    def __rsgi_init__(self, loop: asyncio.AbstractEventLoop) -> None:
        """Called by granian in the process that serves, before the first request."""
        sys.setswitchinterval(_TURN_SECONDS)
        self._bodies, self._hall = Bodies(loop), AdmissionQueue(self._application, self._crew, loop)
        self._crew.start()
        for crew in self._crews_beside.values():
            crew.start()

    async def __rsgi__(self, scope: Any, protocol: Any) -> None:
        """One request. A caller that goes before it was understood is nobody's loss."""
        with suppress(RSGIProtocolClosed):
            try:
                status, headers, body = await self._answer(scope, protocol)
            except RSGIProtocolClosed:
                raise
            except Exception:  # a mistake of ours; the server would answer with a 500 of its own
                _log.exception("front.failed")
                status, headers, body = self._application.gateway_responses.broken(
                    GatewayRequest(scope.method, {}, perf_counter())
                )
            protocol.response_bytes(status, headers, body)

    async def _answer(self, scope: Any, protocol: Any) -> Answer:
        method, path, headers = scope.method, scope.path, headers_of(scope)
        arrived = perf_counter()
        assert self._bodies is not None and self._hall is not None  # noqa: S101, PT018 - granian has called __rsgi_init__
        try:
            body = await self._bodies.read(method, headers, protocol)
        except TimeoutError:
            return self._application.gateway_responses.late_body(GatewayRequest(method, headers, arrived))
        # A body may take its time: the request has arrived when all of it has.
        request = GatewayRequest(method, headers, perf_counter())
        if path in PROBES:  # they never wait behind customers: each has a word to say on how it is with those
            return await self._probed(path, PendingRequest(request, scope, body))
        if self._hall.is_full:  # before anything else is done for it, but not before its body is read:
            return self._hall.refuse(request)  # who is still sending might not get to see the answer
        reservation = reservation_in(method, path, body)
        wish = None if reservation is None else wish_of(headers, reservation)
        return await self._hall.admit(PendingRequest(request, scope, body, reservation, wish))

    async def _probed(self, path: str, visit: PendingRequest) -> Answer:
        if path == ALIVE:  # waits for nothing, and so not for a thread either
            return answer_of(self._application, visit)
        return await self._beside(self._crews_beside[path], visit)

    async def _beside(self, crew: ThreadPool, visit: PendingRequest) -> Answer:
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Answer] = loop.create_future()

        def tell(found: Answer) -> None:
            if not answer.done():  # it is when the caller has gone
                answer.set_result(found)

        def work() -> None:
            found = answer_of(self._application, visit)
            with suppress(RuntimeError):  # the loop is gone after a shutdown that did not wait for it
                loop.call_soon_threadsafe(tell, found)

        crew.do(work)
        return await answer
