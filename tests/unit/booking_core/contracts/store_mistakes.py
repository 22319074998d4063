"""A store in memory that keeps the contract, and can be given one mistake: one part of it is replaced by a wrong one.

Each mistake is one that an adapter has made or could make. The suites must catch every one of them.
"""

from collections.abc import Callable
from datetime import timedelta
from decimal import ROUND_DOWN, Decimal
from typing import Any, Final

import pytest
from attrs import evolve

from booking_core.domain.booking import Booking
from booking_core.domain.lifecycle import Status
from booking_memory import bookings, locks, store, tables, transaction

Patch = pytest.MonkeyPatch
Change = Callable[[Patch], None]

MISTAKES: Final[dict[str, tuple[str, Change]]] = {}
"""Each mistake: the test that catches it, and what makes it."""


def mistake(name: str, caught_by: str) -> Callable[[Change], Change]:
    def register(change: Change) -> Change:
        assert name not in MISTAKES
        MISTAKES[name] = caught_by, change
        return change

    return register


def replace(owner: Any, name: str, make: Callable[[Callable[..., Any]], Callable[..., Any]]) -> Change:
    """The change that replaces a function by what `make` makes of it."""
    return lambda patch: patch.setattr(owner, name, make(getattr(owner, name)))


def simply(owner: Any, name: str, function: Callable[..., Any]) -> Change:
    # Not there for a function that is built in.
    return lambda patch: patch.setattr(owner, name, function, raising=False)


# -- transactions and locks


mistake("a seat can be claimed twice", "test_commit_with_a_claim_on_a_taken_seat_is_refused")(
    simply(transaction.Transaction, "_refuse_double_claims", lambda self: None)
)
mistake("the last writer wins", "test_a_stale_booking_is_not_written")(
    simply(transaction.Transaction, "_refuse_stale_bookings", lambda self: None)
)


@mistake("leaving without a commit commits", "test_ending_without_commit_stores_nothing")
def _commits_on_leaving(patch: Patch) -> None:
    leave = store.MemoryUnitOfWork.__exit__

    def wrong(self: Any, kind: Any, error: Any, trace: Any) -> None:
        if not self._transaction.locks._has_ended:
            self._transaction.commit()
        leave(self, kind, error, trace)

    patch.setattr(store.MemoryUnitOfWork, "__exit__", wrong)


@mistake("writes are visible before the commit", "test_writes_are_invisible_before_the_commit")
def _visible_early(patch: Patch) -> None:
    patch.setattr(tables.Layer, "__setitem__", lambda self, key, value: self._below.__setitem__(key, value))


mistake("bookings are not locked", "test_lock_live_waits_for_locked_bookings")(
    replace(bookings, "booking_lock", lambda _: lambda booking_id: ("nothing", object()))
)
mistake("seats are not locked", "test_seats_and_user_stay_locked_until_the_end")(
    replace(bookings, "seat_lock", lambda _: lambda event_id, seat_id: ("nothing", object()))
)
mistake("users are not locked", "test_seats_and_user_stay_locked_until_the_end")(
    replace(bookings, "user_lock", lambda _: lambda user_id: ("nothing", object()))
)
mistake("locks are kept after the commit", "test_a_commit_releases_the_locks")(
    simply(locks.HeldLocks, "release_all", lambda self: None)
)
mistake("a wait for a lock is an error of the driver", "test_a_lock_is_waited_for_within_bounds")(
    simply(locks, "ServiceBusy", TimeoutError)
)
mistake("loaded bookings are the stored ones", "test_a_locked_booking_is_a_copy")(
    simply(bookings, "copy_of", lambda booking: booking)
)
mistake("saved bookings stay the caller's", "test_a_saved_booking_is_the_callers_after_the_commit")(
    simply(transaction, "copy_of", lambda booking: booking)
)


# -- reservations


mistake("payments in progress count for the limit", "test_only_pending_holds_in_time_count_for_the_limit")(
    simply(bookings, "_counts", lambda booking, user_id, now: booking.user_id == user_id and booking.is_live)
)
mistake("overdue holds count for the limit", "test_only_pending_holds_in_time_count_for_the_limit")(
    simply(bookings, "_counts", lambda booking, user, now: booking.user_id == user and booking.status is Status.PENDING)
)
mistake("overdue seats are taken", "test_facts_list_an_overdue_holder_and_not_its_seats_as_taken")(
    replace(
        bookings,
        "facts_of",
        lambda right: lambda tables, request, now: evolve(right(tables, request, now - timedelta(days=999)), now=now),
    )
)
mistake("withdrawn seats are sold", "test_a_withdrawn_seat_cannot_be_reserved_until_put_again")(
    replace(
        bookings,
        "facts_of",
        lambda right: (
            lambda tables, request, now: evolve(
                right(tables, request, now),
                seats={row.seat.seat_id: row.seat for row in tables.seats_of_event(request.event_id)},
            )
        ),
    )
)
mistake("taken seats of others are named", "test_facts_list_the_taken_seats_of_the_request")(
    replace(
        bookings,
        "facts_of",
        lambda right: (
            lambda tables, request, now: evolve(
                right(tables, request, now), taken=frozenset(seat_id for _, seat_id in tables.claims)
            )
        ),
    )
)


@mistake("prices have two decimals", "test_every_amount_keeps_its_digits")
def _two_decimals(patch: Patch) -> None:
    def wrong(booking: Booking) -> Booking:
        seats = tuple(evolve(seat, price=seat.price.quantize(Decimal("0.01"), ROUND_DOWN)) for seat in booking.seats)
        return evolve(tables.copy_of(booking), seats=seats)

    patch.setattr(transaction, "copy_of", wrong)


@mistake("amounts of payments have two decimals", "test_an_amount_that_no_currency_has_is_stored_as_sent")
def _paid_in_cents(patch: Patch) -> None:
    def wrong(booking: Booking) -> Booking:
        copy = tables.copy_of(booking)
        for payment in copy.payments.values():
            payment.amount = None if payment.amount is None else payment.amount.quantize(Decimal("0.01"))
        return copy

    patch.setattr(transaction, "copy_of", wrong)


# -- saving


@mistake("the first entry of the history alone is stored", "test_two_changes_in_one_save_are_stored")
def _no_second_entry(patch: Patch) -> None:
    def wrong(booking: Booking) -> Booking:
        return evolve(tables.copy_of(booking), revision=booking.loaded_revision + 1)

    patch.setattr(transaction, "copy_of", wrong)


@mistake("the history is lost", "test_every_change_has_an_entry_in_the_history")
def _no_history(patch: Patch) -> None:
    write = transaction.Transaction.write

    def wrong(self: Any, booking: Booking, traceparent: str | None = None) -> None:
        before = dict(self.tables.history)
        write(self, booking, traceparent)
        for key in set(self.tables.history) - set(before):
            if key[1] > 1:
                del self.tables.history[key]

    patch.setattr(transaction.Transaction, "write", wrong)


mistake("events belong to no trace", "test_an_event_is_stored_with_its_trace")(
    replace(transaction, "outbox_record", lambda right: lambda event, traceparent=None: right(event))
)
mistake("seats of an ended booking stay taken", "test_released_seats_are_free_at_once")(
    replace(
        transaction.Transaction,
        "_claim_or_release",
        lambda right: lambda self, booking: right(self, booking) if booking.is_live else None,
    )
)


@mistake("an ended booking releases the claims of others", "test_saving_an_ended_booking_releases_only_its_own_claims")
def _releases_all(patch: Patch) -> None:
    claim_or_release = transaction.Transaction._claim_or_release

    def wrong(self: Any, booking: Booking) -> None:
        claim_or_release(self, booking)
        if not booking.is_live:
            for seat_id in booking.seat_ids:
                self.tables.claims.pop((booking.event_id, seat_id), None)

    patch.setattr(transaction.Transaction, "_claim_or_release", wrong)
