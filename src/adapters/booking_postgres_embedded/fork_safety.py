"""File descriptors that must die with this process.

A lock or a pipe that says "the owner lives" says so falsely when a forked child (a web server's worker, say) still
holds a copy after the owner was killed. Programs started with exec do not inherit them anyway.
"""

import contextlib
import os

_ours: set[int] = set()
_registered = False


def keep_from_forks(descriptor: int) -> None:
    """From now on a forked child closes its copy at once, until `close` is called."""
    global _registered
    if not _registered:
        os.register_at_fork(after_in_child=_close_copies)
        _registered = True
    _ours.add(descriptor)


def close(descriptor: int) -> None:
    """Close what was given to `keep_from_forks`; in a forked child, where it is closed already, do nothing."""
    if descriptor in _ours:
        _ours.discard(descriptor)
        os.close(descriptor)


def _close_copies() -> None:
    for descriptor in tuple(_ours):
        with contextlib.suppress(OSError):
            os.close(descriptor)
    _ours.clear()
