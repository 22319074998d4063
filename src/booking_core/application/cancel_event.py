"""Cancel an event (spec 6.4): close it, wait for the reservations in flight, cancel its bookings.

The closure is committed first. Then the store waits for the reservations in flight; a later one reads the closure after
its seat locks. So once no live booking is found, none can follow, and the transaction that finds none writes
`event.cancelled`. A process that is killed leaves work that the next call finishes.
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
_CHUNK: Final = 200  # bookings in one transaction
_BUSY_TIMEOUT_SECONDS: Final = 60.0  # for the lock of one chunk
_PAUSE_SECONDS: Final = 0.05  # between two attempts


@define(kw_only=True)
class CancelledEvent:
    """What one call did: bookings ended, seats released, and refunds requested as (sum, count) by currency."""

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
    """Close the event: it cannot be reserved from now on. The first closure stands. Raises EventNotFound."""
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
    """Cancel every live booking of a closed event, in chunks, and publish `event.cancelled` once at the end.

    `progress` is called with the running total after each chunk, `should_continue` before each. Raises ServiceBusy if a
    lock is held for a minute: call again.
    """
    done = CancelledEvent(event_id=closure.event_id)
    if closure.finished:
        return done
    if not should_continue():
        return done
    _retry_while_busy(partial(store.await_reservations_in_flight, closure.event_id), should_continue, runtime)
    while should_continue():
        # Read before the unit of work, which may have the store's only connection.
        work = partial(_cancel_chunk, closure, store.reads.now())
        chunk = _retry_while_busy(partial(in_unit_of_work, store, work, runtime=runtime), should_continue, runtime)
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
    """Cancel one chunk of bookings. None if none was left: then `event.cancelled` is written."""
    cause = Cause(actor=ActorKind.ADMINISTRATOR, actor_id=closure.administrator, correlation_id=closure.correlation_id)
    locked = uow.bookings.lock_live(closure.event_id, _CHUNK)
    if not locked:
        _finish(uow, closure, now)
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


def _finish(uow: UnitOfWork, closure: Closure, now: datetime) -> None:
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


def _retry_while_busy(step: Callable[[], T], should_continue: Callable[[], bool], runtime: Runtime) -> T:
    """Run a step again while its locks are held: for a minute at most, and not after a stop."""
    deadline = runtime.monotonic() + _BUSY_TIMEOUT_SECONDS
    while True:
        try:
            return step()
        except ServiceBusy:
            if runtime.monotonic() >= deadline or not should_continue():
                raise
            runtime.sleep(_PAUSE_SECONDS)


def _count_refund(done: CancelledEvent, event: RefundRequested) -> None:
    amount, count = done.refunds.get(event.refund.currency, (Decimal(0), 0))
    done.refunds[event.refund.currency] = (amount + event.refund.amount, count + 1)
