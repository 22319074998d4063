"""Listening sockets of the workers. The parent process owns them, so no connection is lost with a worker.

Each worker has a socket of its own on the same port (SO_REUSEPORT), and the kernel distributes new connections among
them. A single shared socket would be simpler, but the faster worker then takes most connections: 62 of 64 with two.
A single worker has two sockets as well: the second one takes new connections while the worker is replaced.
"""

import ctypes
import os
import socket
import stat
import struct
from collections.abc import Collection, Iterator, Sequence
from contextlib import suppress
from fcntl import ioctl
from pathlib import Path
from termios import FIONREAD
from typing import Final, Self

from granian.net import SocketHolder, SocketSpec

# <asm-generic/socket.h>, <linux/filter.h>; Python has no names for them.
_ATTACH_FILTER: Final = 26
_ATTACH_REUSEPORT_CBPF: Final = 51
_DETACH_REUSEPORT_BPF: Final = 68
# Instructions of classic BPF.
_LOAD_BYTE: Final = 0x30
_AND: Final = 0x54
_JUMP_IF_EQUAL: Final = 0x15
_RETURN: Final = 0x06
# The flags of a TCP header, and where they are: a filter of a TCP socket sees the segment from its header on.
_FLAGS_OFFSET: Final = 13
_SYN: Final = 0x02
_ACK: Final = 0x10
_WHOLE_SEGMENT: Final = 0xFFFFFFFF
# Instruction, instructions to skip if it is true, and if it is false, operand.
_DROP_SYN: Final = (
    (_LOAD_BYTE, 0, 0, _FLAGS_OFFSET),
    (_AND, 0, 0, _SYN | _ACK),
    (_JUMP_IF_EQUAL, 1, 0, _SYN),
    (_RETURN, 0, 0, _WHOLE_SEGMENT),
    (_RETURN, 0, 0, 0),
)
# `tcpi_unacked` of struct tcp_info, which is the length of the accept queue if the socket listens.
_QUEUE_LENGTH: Final = struct.Struct("24xI")


class Listeners:
    """The listening sockets of the workers, which are numbered from 0. Linux only."""

    def __init__(self, holders: list[SocketHolder], workers: int, backlog: int) -> None:
        self._holders = holders
        self._sockets = [socket.socket(fileno=holder.get_fd()) for holder in holders]
        self._number_of_worker = list(range(workers))
        # In this order: the kernel numbers the sockets as they begin to listen.
        for each in self._sockets:
            each.listen(backlog)
        if workers == 1:
            self._send_all_to(0)

    @classmethod
    def open(cls, host: str, port: int, backlog: int, *, workers: int) -> Self:
        """Open the sockets on one port. Raises OSError if it is in use."""
        return cls([SocketSpec(host, port, backlog).build() for _ in range(max(2, workers))], workers, backlog)

    def holder(self, worker: int) -> SocketHolder:
        """Return granian's object for the socket of this worker."""
        return self._holders[self._number_of_worker[worker]]

    def exclude(self, worker: int) -> None:
        """Send new connections elsewhere: to another worker, or to the socket of this one's successor."""
        self._send_all_to((self._number_of_worker[worker] + 1) % len(self._sockets))

    def hand_over(self, worker: int) -> None:
        """Give the successor of this excluded worker its socket: the other one if there is a single worker."""
        if len(self._number_of_worker) == 1:
            self._number_of_worker[worker] = 1 - self._number_of_worker[worker]

    def include_all(self) -> None:
        """Distribute new connections among all workers again."""
        if len(self._number_of_worker) > 1:
            self._sockets[0].setsockopt(socket.SOL_SOCKET, _DETACH_REUSEPORT_BPF, 0)

    def shut_out(self) -> None:
        """Drop the SYNs of new connections, for good; what is connected or about to be stays (ADR 0027)."""
        for each in self._sockets:
            _set_program(each, _ATTACH_FILTER, _DROP_SYN)

    def queued(self, worker: int) -> int:
        """Return how many connections wait for this worker to accept them."""
        listener = self._sockets[self._number_of_worker[worker]]
        info = listener.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _QUEUE_LENGTH.size)
        length: int = _QUEUE_LENGTH.unpack(info)[0]
        return length

    def descriptors_of_others(self, worker: int) -> Collection[int]:
        """The file descriptors that this worker inherits by the fork and does not need."""
        own = self._number_of_worker[worker]
        return [each.fileno() for number, each in enumerate(self._sockets) if number != own]

    def close(self) -> None:
        """Close the sockets in the parent: each then ends with its worker."""
        for each in self._sockets:
            each.close()

    def _send_all_to(self, number: int) -> None:
        """Send every new connection to this socket: the program returns its number."""
        _set_program(self._sockets[0], _ATTACH_REUSEPORT_CBPF, ((_RETURN, 0, 0, number),))


def has_unread_bytes(port: int) -> bool:
    """Whether a connection of this process to its port has bytes that the process has not read. Linux only."""
    return any(_local_port(descriptor) == port for descriptor in _with_unread_bytes())


def _with_unread_bytes() -> Iterator[int]:
    for descriptor in [int(each.name) for each in Path("/proc/self/fd").iterdir()]:
        with suppress(OSError):  # closed meanwhile, or a socket that listens
            if stat.S_ISSOCK(os.fstat(descriptor).st_mode) and any(ioctl(descriptor, FIONREAD, bytes(4))):
                yield descriptor


def _local_port(descriptor: int) -> int | None:
    with suppress(OSError), socket.socket(fileno=os.dup(descriptor)) as connection:
        if connection.family in (socket.AF_INET, socket.AF_INET6):
            port: int = connection.getsockname()[1]
            return port
    return None


def _set_program(listener: socket.socket, option: int, program: Sequence[tuple[int, int, int, int]]) -> None:
    code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *instruction) for instruction in program))
    listener.setsockopt(socket.SOL_SOCKET, option, struct.pack("HP", len(program), ctypes.addressof(code)))
