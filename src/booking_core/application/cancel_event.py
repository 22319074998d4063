"""An administrator cancels an event (spec 6.4): close it, wait out the reservations in flight, end its bookings.

The closure is committed first. Then every seat is locked once and let go: a reservation that held it has ended, and a
later one reads the closure after its seat locks. So when no live booking is found any more, none will come, and the
transaction that finds none writes `event.cancelled`. A kill anywhere leaves work that the next call finishes.
"""

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from functools import partial
from typing import Final, TypeVar
from uuid import UUID

from attrs import define, field

from booking_core.application.catalog_cache import CatalogCache
from booking_core.application.retries import in_unit_of_work
from booking_core.application.system_runtime import SYSTEM_RUNTIME
from booking_core.domain.commands import CancelEvent
from booking_core.domain.errors import EventNotFound, ServiceBusy
from booking_core.domain.events import EventCancelled, RefundRequested
from booking_core.domain.identity import new_id
from booking_core.domain.values import ActorKind, Cause
from booking_core.ports.runtime import Runtime
from booking_core.ports.store import Store
from booking_core.ports.unit_of_work import Closure, UnitOfWork

T = TypeVar("T")
_BOOKINGS: Final = 200
_PATIENCE_SECONDS: Final = 60.0
_PAUSE_SECONDS: Final = 0.05


@define(kw_only=True)
class CancelledEvent:
    """What this call did: bookings ended, seats released, and refunds asked for as (sum, count) by currency."""

    event_id: UUID
    bookings: int = 0
    seats: int = 0
    refunds: dict[str, tuple[Decimal, int]] = field(factory=dict)


def close_event(
    command: CancelEvent,
    *,
    store: Store,
    catalog_cache: CatalogCache | None = None,
    runtime: Runtime = SYSTEM_RUNTIME,
) -> Closure:
    """From now on nobody can reserve this event. The first closure stands. Raises EventNotFound."""

    wanted = Closure(
        event_id=command.event_id,
        reason=command.reason,
        cancelled_at=store.reads.now(),
        administrator=command.administrator,
        correlation_id=command.correlation_id,
        finished=False,
    )

    def work(uow: UnitOfWork) -> Closure | None:
        closure = uow.events.close(wanted)
        uow.commit()
        return closure

    closure = in_unit_of_work(store, work, runtime=runtime)
    if closure is None and catalog_cache is not None:
        catalog_cache.ensure_loaded(command.event_id)
        closure = in_unit_of_work(store, work, runtime=runtime)
    if closure is None:
        raise EventNotFound()
    return closure


def finish_closure(
    closure: Closure,
    *,
    store: Store,
    progress: Callable[[CancelledEvent], None] = lambda done: None,
    should_continue: Callable[[], bool] = lambda: True,
    runtime: Runtime = SYSTEM_RUNTIME,
) -> CancelledEvent:
    """End every live booking of a closed event, in chunks, and say `event.cancelled` once at the end.

    `progress` is called with the running total after each chunk; `should_continue` before each. Raises ServiceBusy if
    a lock is held for a minute: call it again.
    """
    done = CancelledEvent(event_id=closure.event_id)
    if closure.finished:
        return done
    if not should_continue():
        return done
    _patiently(partial(store.await_reservations_in_flight, closure.event_id), should_continue, runtime)
    while should_continue():
        # Read before the unit of work, which may have the store's only connection.
        work = partial(_cancel_chunk, closure, store.reads.now())
        chunk = _patiently(partial(in_unit_of_work, store, work, runtime=runtime), should_continue, runtime)
        if chunk is None:
            break
        done.bookings, done.seats = done.bookings + chunk.bookings, done.seats + chunk.seats
        for currency, (amount, count) in chunk.refunds.items():
            before = done.refunds.get(currency, (Decimal(0), 0))
            done.refunds[currency] = (before[0] + amount, before[1] + count)
        progress(done)
    return done


def cancel_event(
    command: CancelEvent,
    *,
    store: Store,
    catalog_cache: CatalogCache | None = None,
    progress: Callable[[CancelledEvent], None] = lambda done: None,
    should_continue: Callable[[], bool] = lambda: True,
    runtime: Runtime = SYSTEM_RUNTIME,
) -> CancelledEvent:
    """Close the event and finish its closure. A second call changes nothing. Raises EventNotFound, ServiceBusy."""
    closure = close_event(command, store=store, catalog_cache=catalog_cache, runtime=runtime)
    return finish_closure(closure, store=store, progress=progress, should_continue=should_continue, runtime=runtime)


def _cancel_chunk(closure: Closure, now: datetime, uow: UnitOfWork) -> CancelledEvent | None:
    """End some bookings; None if there was none left, and then `event.cancelled` is written."""
    cause = Cause(actor=ActorKind.ADMINISTRATOR, actor_id=closure.administrator, correlation_id=closure.correlation_id)
    locked = uow.bookings.lock_live(closure.event_id, _BOOKINGS)
    if not locked:
        _say_cancelled(uow, closure, now)
        uow.commit()
        return None
    chunk = CancelledEvent(event_id=closure.event_id)
    for each in locked:
        if each.booking.cancel_for_event(each.now, cause):
            chunk.bookings += 1
            chunk.seats += len(each.booking.seats)
        for event in each.booking.new_events:
            if isinstance(event, RefundRequested):
                _count_refund(chunk, event)
        uow.bookings.save(each.booking)
    uow.commit()
    return chunk


def _say_cancelled(uow: UnitOfWork, closure: Closure, now: datetime) -> None:
    uow.events.finish(
        EventCancelled(
            message_id=new_id(now),
            timestamp=now,
            correlation_id=closure.correlation_id,
            sequence=1,
            event_id=closure.event_id,
            reason=closure.reason,
            cancelled_at=closure.cancelled_at,
            affected_bookings=0,
        )
    )


def _patiently(step: Callable[[], T], should_continue: Callable[[], bool], runtime: Runtime) -> T:
    """Run a step again while somebody holds its locks: for a minute at most, and not after a stop."""
    give_up_at = runtime.monotonic() + _PATIENCE_SECONDS
    while True:
        try:
            return step()
        except ServiceBusy:
            if runtime.monotonic() >= give_up_at or not should_continue():
                raise
            runtime.sleep(_PAUSE_SECONDS)


def _count_refund(done: CancelledEvent, asked: RefundRequested) -> None:
    amount, count = done.refunds.get(asked.refund.currency, (Decimal(0), 0))
    done.refunds[asked.refund.currency] = (amount + asked.refund.amount, count + 1)
