"""The sockets that the workers accept on: kept by the parent, so that nobody who has connected is lost with a worker.

Each worker has one, all on the same port (SO_REUSEPORT), and the kernel deals new connections out among them. One for
all would be simpler, but then whoever is quicker takes most: one of two workers had 62 of 64 connections.
"""

import ctypes
import os
import socket
import struct
from collections.abc import Collection
from typing import Final, Self

from granian._granian import ListenerSpec, SocketHolder

# <asm-generic/socket.h>, <linux/filter.h>; Python has no names for them.
_ATTACH_REUSEPORT_CBPF: Final = 51
_DETACH_REUSEPORT_BPF: Final = 68
_RETURN: Final = 0x06


class Listeners:
    """`holders` are what granian takes, one for each worker. They listen from the start. Linux alone."""

    def __init__(self, holders: list[SocketHolder], backlog: int) -> None:
        self.holders = holders
        self._sockets = [socket.socket(fileno=holder.get_fd()) for holder in holders]
        # In this order, by which the kernel numbers them.
        for each in self._sockets:
            each.listen(backlog)

    @classmethod
    def open(cls, host: str, port: int, backlog: int, *, workers: int) -> Self:
        """So many on one port. Raises OSError if it is taken."""
        return cls([ListenerSpec(host, port, backlog).build() for _ in range(workers)], backlog)

    def spare(self, worker: int) -> bool:
        """From now on nobody new comes to this one; False if there is no other for them."""
        if len(self._sockets) == 1:
            return False
        # A program of one instruction, which says whose the next connection is.
        other = ctypes.create_string_buffer(struct.pack("HBBI", _RETURN, 0, 0, (worker + 1) % len(self._sockets)))
        program = struct.pack("HP", 1, ctypes.addressof(other))
        self._sockets[0].setsockopt(socket.SOL_SOCKET, _ATTACH_REUSEPORT_CBPF, program)
        return True

    def spare_none(self) -> None:
        """They come to all of them again."""
        if len(self._sockets) > 1:
            self._sockets[0].setsockopt(socket.SOL_SOCKET, _DETACH_REUSEPORT_BPF, 0)

    def all_but(self, worker: int) -> Collection[int]:
        """The file descriptors that are nothing to this worker."""
        return [each.fileno() for number, each in enumerate(self._sockets) if number != worker]

    def close(self) -> None:
        """The parent lets go of them: now each ends with its worker."""
        for each in self._sockets:
            each.close()


def close_inherited(descriptors: Collection[int]) -> None:
    """In a worker: what a fork has given it besides its own."""
    for each in descriptors:
        os.close(each)
