"""Mistakes of the inbox, stored responses, expiry, closures, reads, the outbox and pruning (see `store_mistakes`)."""

import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from attrs import evolve

from booking_core.domain.booking import Booking
from booking_core.domain.payments import RefundStatus
from booking_core.ports import Pruned, Receipt
from booking_memory import bookings, events, locks, outbox, reads, store, stored_responses, tables
from tests.unit.booking_core.contracts.store_mistakes import MISTAKES, Patch, mistake, replace, simply

__all__ = ["MISTAKES"]

# -- the inbox


mistake("every message is new", "test_a_message_is_new_once")(
    simply(bookings.MemoryInbox, "_receipt", lambda self, message: Receipt.NEW)
)
mistake("an id is compared within its booking", "test_an_id_that_names_another_message_is_reused")(
    replace(
        bookings.MemoryInbox,
        "_receipt",
        lambda right: (
            lambda self, message: right(
                self,
                evolve(
                    message, message_id=type(message.message_id)(int=message.message_id.int ^ message.booking_id.int)
                ),
            )
        ),
    )
)
mistake("an id is all that is compared", "test_an_id_that_names_another_message_is_reused")(
    replace(
        bookings.MemoryInbox,
        "_receipt",
        lambda right: (
            lambda self, message: Receipt.REPEATED if (receipt := right(self, message)) is Receipt.REUSED else receipt
        ),
    )
)
mistake("the type of a message is not compared", "test_an_id_that_names_another_message_is_reused")(
    replace(
        tables.InboxRow,
        "__init__",
        lambda right: lambda self, *, content, **more: right(self, content=_Untyped(content), **more),
    )
)
mistake("a message in flight is not waited for", "test_an_id_in_flight_is_waited_for")(
    simply(bookings, "message_lock", lambda message_id: ("nothing", object()))
)


@mistake("messages are locked in the order given", "test_one_id_marked_for_many_bookings_at_once_is_new_once")
def _in_the_order_given(patch: Patch) -> None:
    def wrong(self: Any, messages: Any) -> Any:
        for message in messages:
            self._transaction.locks.take(locks.message_lock(message.message_id))
            time.sleep(0.0005)  # the statement that does it
        return [self._receipt(message) for message in messages]

    patch.setattr(bookings.MemoryInbox, "mark_processed", wrong)


mistake("nothing is retained", "test_ids_reused_and_messages_retained_are_not_pruned")(
    simply(bookings.MemoryInbox, "retain", lambda self, messages: None)
)


class _Untyped(tuple[Any, ...]):
    """The content of a message, equal to one of another type."""

    __hash__ = tuple.__hash__

    def __eq__(self, other: object) -> bool:
        return isinstance(other, tuple) and self[:2] == other[:2]


# -- stored responses


mistake("a key fits every request", "test_another_request_under_the_same_key_is_refused")(
    replace(
        stored_responses.MemoryStoredResponses,
        "stored",
        lambda right: lambda self, key: right(self, evolve(key, fingerprint=_stored_fingerprint(self, key))),
    )
)


def _stored_fingerprint(responses: Any, key: Any) -> str:
    row = responses._transaction.tables.responses.get(tables.response_key(key))
    return str(key.fingerprint if row is None else row.fingerprint)


mistake("a key is the same for all users", "test_a_response_is_stored_under_its_fingerprint")(
    simply(stored_responses, "response_key", lambda key: ("", key.operation, key.key))
)
mistake("a key is not locked", "test_a_running_first_request_is_waited_for_within_bounds")(
    simply(stored_responses, "response_lock", lambda key: ("nothing", object()))
)


# -- expiry and closures


@mistake("expiry waits for locked bookings", "test_a_locked_booking_is_left_for_the_next_pass")
def _expiry_waits(patch: Patch) -> None:
    patch.setattr(locks.HeldLocks, "take_if_free", lambda self, key: self.take(key) is None)


mistake("expiry ignores its limit", "test_expiry_stops_at_its_limit")(
    replace(bookings.MemoryBookings, "expire_overdue", lambda right: lambda self, limit: right(self, 10**6))
)
mistake("lock_live skips locked bookings", "test_lock_live_waits_for_locked_bookings")(
    replace(
        bookings.MemoryBookings,
        "_live",
        lambda right: (
            lambda self, event_id: [
                each for each in right(self, event_id) if self._transaction.locks.take_if_free(locks.booking_lock(each))
            ]
        ),
    )
)
mistake("lock_live leaves out overdue holds", "test_live_bookings_are_locked_in_order")(
    replace(
        bookings.MemoryBookings,
        "lock_live",
        lambda right: (
            lambda self, event_id, limit: [
                each for each in right(self, event_id, limit) if not each.booking.is_overdue(each.now)
            ]
        ),
    )
)
mistake("the last closure stands", "test_closing_twice_keeps_the_first_closure")(
    replace(events.MemoryEvents, "close", lambda right: lambda self, closure: _closed_anew(self, right, closure))
)


def _closed_anew(repository: Any, close: Callable[..., Any], closure: Any) -> Any:
    repository._transaction.tables.closures.pop(closure.event_id, None)
    return close(repository, closure)


mistake("reservations in flight are not waited for", "test_a_reservation_of_the_last_of_many_seats_is_waited_for")(
    simply(store.MemoryStore, "await_reservations_in_flight", lambda self, event_id: None)
)
mistake("event.cancelled is stored each time", "test_finishing_twice_stores_event_cancelled_once")(
    replace(events.MemoryEvents, "finish", lambda right: lambda self, event: right(self, event) or _again(self, event))
)


def _again(repository: Any, event: Any) -> bool:
    repository._transaction.write_event(evolve(event, sequence=event.sequence + 1))
    return True


mistake("put replaces a changed event", "test_put_if_unchanged_replaces_an_unchanged_event")(
    simply(
        events.MemoryEvents,
        "put_if_unchanged",
        lambda self, event, before, refreshed, **more: self.put(event, **more) or True,
    )
)


# -- reading, relaying, pruning


mistake("a read shows overdue holds as pending", "test_an_overdue_hold_is_shown_as_it_will_be_written")(
    simply(Booking, "as_of", lambda self, now: tables.copy_of(self))
)
mistake("a read hands out the stored booking", "test_bookings_that_were_read_are_copies")(
    simply(Booking, "as_of", lambda self, now: self)
)
mistake("bookings are listed oldest first", "test_bookings_are_listed_newest_first_in_pages")(
    simply(reads, "sorted", lambda items, key=None, reverse=False: sorted(items, key=key))
)
mistake("the total is that of the page", "test_bookings_are_listed_newest_first_in_pages")(
    replace(
        reads,
        "page_of",
        lambda right: lambda items, page: (found := right(items, page)) and evolve(found, total=len(found.items)),
    )
)
mistake("answered refunds count as unanswered", "test_statistics_of_unanswered_refunds")(
    simply(reads, "RefundStatus", type("Every", (), {"REQUESTED": RefundStatus.FAILED}))
)
mistake("the relay gets the newest events first", "test_one_bookings_events_are_in_order_without_gaps")(
    replace(outbox.MemoryOutbox, "unpublished", lambda right: lambda self, limit: right(self, 10**6)[::-1][:limit])
)
mistake("marking one event marks all of its booking", "test_marked_events_are_not_returned_again")(
    replace(
        outbox.MemoryOutbox,
        "mark_published",
        lambda right: (
            lambda self, records: right(
                self, [each for each in self.everything() if each.key in {record.key for record in records}]
            )
        ),
    )
)
mistake("a page of stored events repeats its last", "test_pages_of_any_size_return_all_events_once_in_order")(
    replace(outbox, "_place", lambda right: lambda record: (right(record)[0], 0))
)
mistake("until is included", "test_a_selection_by_time_includes_since_and_excludes_until")(
    replace(
        outbox,
        "_is_selected",
        lambda right: (
            lambda record, selection, tables: right(
                record,
                evolve(selection, until=selection.until and selection.until + timedelta(microseconds=1)),
                tables,
            )
        ),
    )
)


@mistake("unpublished events are pruned", "test_pruning_keeps_unpublished_events_of_any_age")
def _prunes_unpublished(patch: Patch) -> None:
    prune = store.MemoryUpkeep.prune

    def wrong(self: Any, **bounds: Any) -> Pruned:
        self._database.tables.outbox.clear()
        return prune(self, **bounds)

    patch.setattr(store.MemoryUpkeep, "prune", wrong)


mistake("pruning ignores its limit", "test_pruning_stops_at_its_limit")(
    replace(store.MemoryUpkeep, "prune", lambda right: lambda self, **bounds: right(self, **bounds | {"limit": 10**6}))
)
