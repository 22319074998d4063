"""Listening sockets of the workers. The parent process owns them, so no connection is lost with a worker.

Each worker has a socket of its own on the same port (SO_REUSEPORT), and the kernel distributes new connections among
them. A single shared socket would be simpler, but the faster worker then takes most connections: 62 of 64 with two.
"""

import ctypes
import socket
import struct
from collections.abc import Collection
from typing import Final, Self

from granian.net import SocketHolder, SocketSpec

# <asm-generic/socket.h>, <linux/filter.h>; Python has no names for them.
_ATTACH_REUSEPORT_CBPF: Final = 51
_DETACH_REUSEPORT_BPF: Final = 68
_RETURN: Final = 0x06


class Listeners:
    """One listening socket for each worker; `holders` are granian's objects for them. Linux only."""

    def __init__(self, holders: list[SocketHolder], backlog: int) -> None:
        self.holders = holders
        self._sockets = [socket.socket(fileno=holder.get_fd()) for holder in holders]
        # In this order: the kernel numbers the sockets as they begin to listen.
        for each in self._sockets:
            each.listen(backlog)

    @classmethod
    def open(cls, host: str, port: int, backlog: int, *, workers: int) -> Self:
        """Open the sockets on one port. Raises OSError if it is in use."""
        return cls([SocketSpec(host, port, backlog).build() for _ in range(workers)], backlog)

    def exclude(self, worker: int) -> bool:
        """Send new connections to another worker; False if there is no other."""
        if len(self._sockets) == 1:
            return False
        # A BPF program of one instruction: it returns the number of the socket that gets the next connection.
        other = ctypes.create_string_buffer(struct.pack("HBBI", _RETURN, 0, 0, (worker + 1) % len(self._sockets)))
        program = struct.pack("HP", 1, ctypes.addressof(other))
        self._sockets[0].setsockopt(socket.SOL_SOCKET, _ATTACH_REUSEPORT_CBPF, program)
        return True

    def include_all(self) -> None:
        """Distribute new connections among all workers again."""
        if len(self._sockets) > 1:
            self._sockets[0].setsockopt(socket.SOL_SOCKET, _DETACH_REUSEPORT_BPF, 0)

    def descriptors_of_others(self, worker: int) -> Collection[int]:
        """The file descriptors that this worker inherits by the fork and does not need."""
        return [each.fileno() for number, each in enumerate(self._sockets) if number != worker]

    def close(self) -> None:
        """Close the sockets in the parent: each then ends with its worker."""
        for each in self._sockets:
            each.close()
