"""Locks belong to units of work, are waited for within bounds, and are let go at the end."""

import time
from concurrent.futures import ThreadPoolExecutor
from threading import Event

import pytest

from booking_core.domain.errors import ServiceBusy
from booking_memory.locks import HeldLocks, Locks, user_lock

KEY, OTHER = user_lock("ada"), user_lock("grace")


def test_a_lock_is_held_by_one_and_may_be_taken_again_by_it() -> None:
    locks = Locks()
    first, second = HeldLocks(locks, 0.01), HeldLocks(locks, 0.01)
    first.take(KEY)
    first.take(KEY)

    assert not second.take_if_free(KEY)
    assert second.take_if_free(OTHER)


def test_the_wait_is_bounded() -> None:
    locks = Locks()
    first, second = HeldLocks(locks, 0.05), HeldLocks(locks, 0.05)
    first.take(KEY)
    started = time.monotonic()

    with pytest.raises(ServiceBusy):
        second.take(KEY)

    assert 0.05 <= time.monotonic() - started < 5


def test_who_waits_is_woken_when_the_other_ends() -> None:
    locks = Locks()
    first, second = HeldLocks(locks, 60), HeldLocks(locks, 60)
    first.take(KEY)
    is_waiting = Event()

    def wait() -> bool:
        is_waiting.set()
        second.take(KEY)
        return KEY in second

    with ThreadPoolExecutor(1) as pool:
        woken = pool.submit(wait)
        assert is_waiting.wait(10)
        first.release_all()

        assert woken.result(10)


def test_waiting_until_free_keeps_nothing_but_what_was_held_before() -> None:
    locks = Locks()
    first, second = HeldLocks(locks, 0.01), HeldLocks(locks, 0.01)
    first.take(KEY)
    first.wait_until_free(KEY)
    first.wait_until_free(OTHER)

    assert KEY in first
    assert not second.take_if_free(KEY)
    assert second.take_if_free(OTHER)


def test_after_the_end_nothing_can_be_taken() -> None:
    held = HeldLocks(Locks(), 0.01)
    held.release_all()

    with pytest.raises(RuntimeError):
        held.take(KEY)
