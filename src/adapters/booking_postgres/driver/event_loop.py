"""A connection of the pool on an event loop: the round trips of `pipeline`, without a thread that waits."""

import select
from asyncio import AbstractEventLoop, Future, TimerHandle
from collections.abc import Generator, Sequence
from typing import cast

import psycopg
from attrs import define, field
from psycopg.pq import ConnStatus
from sqlalchemy.pool import PoolProxiedConnection

from booking_postgres.driver.connection import ConnectionWithDeadline, NoAnswer
from booking_postgres.driver.pipeline import NO_ANSWER, Row, Rows, Statement, round_trip

_Trip = Generator[int, None, list[Rows]]


@define(eq=False)
class EventLoopConnection:
    """A connection that was taken from the pool, and is used by one event loop until it is released.

    One round trip at a time. The loop watches the socket in between, so that `is_lost` is known before the next one.
    """

    pooled: PoolProxiedConnection
    loop: AbstractEventLoop
    driver: "psycopg.Connection[Row]" = field(init=False)
    is_lost: bool = field(default=False, init=False)
    _socket: int = field(init=False)
    _trip: _Trip | None = field(default=None, init=False)
    _results: "Future[list[Rows]]" = field(init=False)
    _deadline: TimerHandle | None = field(default=None, init=False)
    _errors: select.poll = field(init=False)
    _is_watched: bool = field(default=True, init=False)
    _is_writing: bool = field(default=False, init=False)

    @property
    def is_usable(self) -> bool:
        """Whether a round trip may start: the connection is not lost, and the last one has ended."""
        return not self.is_lost and self._trip is None

    def __attrs_post_init__(self) -> None:
        self.driver = cast("psycopg.Connection[Row]", self.pooled.driver_connection)
        self._socket = self.driver.pgconn.socket
        self._errors = select.poll()
        self._errors.register(self._socket, 0)
        self.loop.add_reader(self._socket, self._ready)

    def run(self, statements: Sequence[Statement], *, commit: bool = False, begin: bool = True) -> "Future[list[Rows]]":
        """Start a round trip, see `pipeline.round_trip`. After a loss or an answer that is late, `is_lost` is set.

        The connection must be usable. A caller that is cancelled while it waits has to release the connection.
        """
        assert self.is_usable  # noqa: S101 - the answer would be that of another round trip
        self._results = self.loop.create_future()
        self._trip = round_trip(self.driver, statements, commit=commit, begin=begin)
        seconds = self.driver.answer_seconds if isinstance(self.driver, ConnectionWithDeadline) else None
        if seconds is not None:
            self._deadline = self.loop.call_later(seconds, self._continue, NoAnswer(NO_ANSWER))
        self._continue()
        return self._results

    def release(self) -> None:
        """Return the connection to the pool, or close it if it is lost or within a round trip."""
        self._unwatch()
        trip = self._trip
        if trip is not None:
            self._end()
            trip.close()
            self.is_lost = True
        if self.is_lost:
            self.pooled.invalidate()
        self.pooled.close()

    def _ready(self) -> None:
        """Continue after an event of the socket.

        libuv stops to watch a socket that has an error, and what the server sent before it may be read first. So such
        a socket is read here until the connection is lost.
        """
        self._proceed()
        while self._is_watched and self._errors.poll(0):
            self._proceed()

    def _proceed(self) -> None:
        if self._trip is not None:
            self._continue()
            return
        try:
            self.driver.pgconn.consume_input()
        except psycopg.Error:
            self._lose()
            return
        if self.driver.pgconn.status != ConnStatus.OK:
            self._lose()

    def _continue(self, error: Exception | None = None) -> None:
        """Continue the round trip after an event of the socket, or with an error."""
        assert self._trip is not None  # noqa: S101 - the reader, the writer and the timer end with the round trip
        try:
            wanted = next(self._trip) if error is None else self._trip.throw(error)
        except StopIteration as end:
            self._end()
            if not self._results.done():  # its caller was cancelled
                self._results.set_result(end.value)
        except BaseException as failure:
            self._end()
            if self.driver.closed or self.driver.pgconn.status != ConnStatus.OK:
                self._lose()
            if not self._results.done():
                self._results.set_exception(failure)
        else:
            self._watch_writing(bool(wanted & select.POLLOUT))

    def _end(self) -> None:
        self._trip = None
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
        self._watch_writing(False)

    def _watch_writing(self, is_writing: bool) -> None:
        if is_writing is not self._is_writing:
            self._is_writing = is_writing
            if is_writing:
                self.loop.add_writer(self._socket, self._ready)
            else:
                self.loop.remove_writer(self._socket)

    def _lose(self) -> None:
        self.is_lost = True
        self._unwatch()

    def _unwatch(self) -> None:
        """Stop watching the socket at once, and once: when it is closed its number may belong to another connection."""
        if self._is_watched:
            self._is_watched = False
            self._watch_writing(False)
            self.loop.remove_reader(self._socket)
