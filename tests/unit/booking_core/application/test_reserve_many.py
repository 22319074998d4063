"""What a group does when its transaction fails: repeat, split, look up; and what then goes alone."""

from collections.abc import Callable, Collection, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from unittest.mock import patch
from uuid import UUID

import pytest
from attrs import define, field

from booking_core.application import IdempotentCall, ReplayedResponse, ReservationRequest, reserve_group, reserve_many
from booking_core.application.catalog_cache import CatalogCache
from booking_core.application.system_runtime import SystemRuntime
from booking_core.contracts.groups.requests import KEY, kinds, request_of, with_key
from booking_core.contracts.store.fixture import StoreFixture, refused
from booking_core.domain.booking import Booking
from booking_core.domain.errors import (
    CommitOutcomeUnknown,
    EventNotFound,
    InvalidValue,
    SeatAlreadyReserved,
    ServiceBusy,
    TransactionConflict,
)
from booking_core.domain.group import Deferral
from booking_core.domain.reservation import IdempotencyKey
from booking_core.domain.values import SaleStatus, Seat, TicketedEvent
from booking_core.messages.trace_context import TRACEPARENT
from booking_core.ports import Page
from booking_memory.bookings import MemoryBookings
from booking_memory.store import MemoryStore, MemoryUnitOfWork
from tests.support.memory_harness import MemoryStoreHarness

TRACE = f"00-{'a' * 32}-{'b' * 16}-01"


class Hasty(SystemRuntime):
    """The real runtime, but it does not sleep."""

    def sleep(self, seconds: float) -> None:
        pass


@define(eq=False)
class Failing:
    """Fails in chosen units of work of one store; counts the groups that were locked, and their sizes."""

    fixture: StoreFixture
    on_lock: list[Exception | None] = field(factory=list)
    on_commit: list[Exception | None] = field(factory=list)
    after_commit: list[Exception | None] = field(factory=list)
    poisoned: set[UUID] = field(factory=set)
    sizes: list[int] = field(factory=list)
    singles: int = 0

    def run(self, *requests: ReservationRequest, use: Callable[..., list[Any]] = reserve_many) -> list[Any]:
        with self._patched():
            return use(requests, store=self.fixture.store, runtime=Hasty())

    @contextmanager
    def _patched(self) -> Any:
        lock_group, add_group = MemoryBookings.lock_group, MemoryBookings.add_group
        lock_seats, commit = MemoryBookings.lock_seats, MemoryUnitOfWork.commit

        def locked(bookings: MemoryBookings, requests: Any) -> Any:
            self.sizes.append(len(requests))
            _raise_next(self.on_lock)
            return lock_group(bookings, requests)

        def added(bookings: MemoryBookings, new: Any) -> None:
            if any(seat_id in self.poisoned for each in new for seat_id in each.booking.seat_ids):
                raise ValueError("the database does not take this row")
            add_group(bookings, new)

        def single(bookings: MemoryBookings, request: Any) -> Any:
            self.singles += 1
            return lock_seats(bookings, request)

        def committed(uow: MemoryUnitOfWork) -> None:
            _raise_next(self.on_commit)
            commit(uow)
            _raise_next(self.after_commit)

        with (
            patch.object(MemoryBookings, "lock_group", locked),
            patch.object(MemoryBookings, "add_group", added),
            patch.object(MemoryBookings, "lock_seats", single),
            patch.object(MemoryUnitOfWork, "commit", committed),
        ):
            yield


def _raise_next(errors: list[Exception | None]) -> None:
    error = errors.pop(0) if errors else None
    if error is not None:
        raise error


@pytest.fixture
def failing() -> Failing:
    return Failing(StoreFixture.of(MemoryStoreHarness(), seats=12))


def several(fixture: StoreFixture, *places: int) -> list[ReservationRequest]:
    return [request_of(fixture, place, user=f"user-{place}") for place in places]


@pytest.mark.parametrize("conflicts", [1, 3])
@pytest.mark.parametrize("where", ["on_lock", "on_commit"])
def test_a_conflict_repeats_the_group(failing: Failing, where: str, conflicts: int) -> None:
    setattr(failing, where, [TransactionConflict()] * conflicts)

    assert kinds(failing.run(*several(failing.fixture, 0, 1, 1))) == [Booking, Booking, SeatAlreadyReserved]
    assert failing.sizes == [3] * (1 + conflicts)
    assert failing.singles == 0


def test_the_fourth_conflict_is_the_outcome_of_every_member(failing: Failing) -> None:
    failing.on_commit = [TransactionConflict()] * 4

    outcomes = failing.run(*several(failing.fixture, 0, 1, 1))

    assert kinds(outcomes) == [TransactionConflict] * 3
    assert len({id(outcome) for outcome in outcomes}) == 3
    assert (failing.sizes, failing.singles) == ([3] * 4, 0)


def test_a_group_that_cannot_be_loaded_is_busy_and_nothing_goes_alone(failing: Failing) -> None:
    failing.on_lock = [ServiceBusy()]

    assert kinds(failing.run(*several(failing.fixture, 0, 1))) == [ServiceBusy] * 2
    assert (failing.sizes, failing.singles) == ([2], 0)


def test_a_repeated_group_that_finds_no_connection_is_not_split(failing: Failing) -> None:
    """Each half would wait for a connection again."""
    failing.on_commit = [TransactionConflict()]
    entered: list[Exception | None] = [None, ServiceBusy(), ServiceBusy()]
    enter = MemoryUnitOfWork.__enter__

    def entering(uow: MemoryUnitOfWork) -> MemoryUnitOfWork:
        _raise_next(entered)
        return enter(uow)

    with patch.object(MemoryUnitOfWork, "__enter__", entering):
        outcomes = failing.run(*several(failing.fixture, 0, 1), use=reserve_group)

    assert kinds(outcomes) == [ServiceBusy] * 2
    assert len(entered) == 1


def test_a_row_that_cannot_be_written_fails_its_own_request_only(failing: Failing) -> None:
    failing.poisoned = {failing.fixture.seats[2].seat_id}
    requests = several(failing.fixture, *range(8))

    outcomes = failing.run(*requests, use=reserve_group)

    assert kinds(outcomes) == [Booking] * 2 + [Deferral.WRITE_FAILED] + [Booking] * 5
    assert failing.sizes == [8, 4, 2, 2, 1, 1, 4]
    for place in (0, 1, 3, 4, 5, 6, 7):
        assert failing.fixture.store.reads.bookings_of(f"user-{place}", None, Page()).total == 1


@pytest.mark.parametrize("error", [SeatAlreadyReserved(), ServiceBusy(), RuntimeError("a bug")])
def test_any_other_error_of_the_write_splits_the_group(failing: Failing, error: Exception) -> None:
    failing.on_commit = [error]

    outcomes = failing.run(*several(failing.fixture, 0, 1, 0, 1))

    # A group that failed refuses nobody: what rested on its seats is decided again.
    assert kinds(outcomes) == [Booking, Booking, SeatAlreadyReserved, SeatAlreadyReserved]
    assert failing.sizes == [4, 2, 2]


def test_a_failed_group_refuses_nobody(failing: Failing) -> None:
    failing.poisoned = {failing.fixture.seats[0].seat_id}
    first = request_of(failing.fixture, 0, 1, user="ada")
    second = request_of(failing.fixture, 1, user="grace")

    outcomes = failing.run(first, second)

    # The first goes alone, after the second, whose refusal rested on it.
    assert kinds(outcomes) == [SeatAlreadyReserved, Booking]


def test_a_lost_reply_to_commit_is_looked_up(failing: Failing) -> None:
    failing.after_commit = [CommitOutcomeUnknown()]
    requests = [*several(failing.fixture, 0, 1), request_of(failing.fixture, 0, user="late")]

    outcomes = failing.run(*requests)

    assert kinds(outcomes) == [Booking, Booking, SeatAlreadyReserved]
    assert (failing.sizes, failing.singles) == ([3], 0)


def test_what_the_look_up_does_not_find_is_unknown_and_never_goes_alone(failing: Failing) -> None:
    failing.run(with_key(failing.fixture, 5), request_of(failing.fixture, 6))
    failing.on_commit, failing.sizes = [CommitOutcomeUnknown()], []
    requests = [
        *several(failing.fixture, 0, 1),
        request_of(failing.fixture, 0, user="late"),
        with_key(failing.fixture, 5),
    ]

    outcomes = failing.run(*requests)

    assert kinds(outcomes) == [CommitOutcomeUnknown] * 3 + [ReplayedResponse]
    assert (failing.sizes, failing.singles) == ([4], 0)


def test_a_deferred_member_goes_alone_even_if_the_outcome_of_the_group_is_unknown(failing: Failing) -> None:
    failing.on_commit = [CommitOutcomeUnknown()]
    stranger = ReservationRequest(command=StoreFixture.of(MemoryStoreHarness()).command(0))

    outcomes = failing.run(request_of(failing.fixture, 0), stranger)

    assert kinds(outcomes) == [CommitOutcomeUnknown, EventNotFound]


def test_a_group_of_one_runs_as_a_single_reservation(failing: Failing) -> None:
    assert kinds(failing.run(request_of(failing.fixture, 0))) == [Booking]
    assert (failing.sizes, failing.singles) == ([], 1)


def test_a_group_without_a_granted_member_writes_nothing(failing: Failing) -> None:
    failing.fixture.reserve(0, user="grace")
    failing.on_commit = [RuntimeError("a commit of nothing")]

    assert kinds(failing.run(*[request_of(failing.fixture, 0)] * 2)) == [SeatAlreadyReserved] * 2


class TestInATransactionThatTheCallerOwns:
    @pytest.fixture(autouse=True)
    def owned(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(MemoryStore, "retries", 0)

    def test_nothing_goes_alone(self, failing: Failing) -> None:
        stranger = ReservationRequest(command=StoreFixture.of(MemoryStoreHarness()).command(0))

        keyed = [with_key(failing.fixture, place) for place in (1, 2)]

        outcomes = failing.run(request_of(failing.fixture, 0), stranger, *keyed)

        assert kinds(outcomes) == [Booking, Deferral.EVENT_UNKNOWN, Booking, Deferral.IDEMPOTENCY_KEY]
        assert failing.singles == 0

    @pytest.mark.parametrize("error", [TransactionConflict(), ServiceBusy()])
    def test_a_failure_of_the_whole_group_is_raised(self, failing: Failing, error: Exception) -> None:
        failing.on_lock = [error]

        refused(type(error), lambda: failing.run(*several(failing.fixture, 0, 1)))

        assert failing.sizes == [2]


def test_alone_a_request_keeps_its_own_trace(failing: Failing) -> None:
    seen: list[str | None] = []

    def render(booking: Booking) -> str:
        seen.append(TRACEPARENT.get())
        return "\0" if len(seen) == 1 else "kept"

    once = IdempotentCall(key=KEY, render=render)
    failing.run(request_of(failing.fixture, 0, once=once, traceparent=TRACE), request_of(failing.fixture, 1))

    assert seen == [None, TRACE]


@define
class RecordingCatalog:
    """A Catalog that knows one event and its seats."""

    known: TicketedEvent
    rows: Sequence[Seat]

    def event(self, event_id: UUID) -> TicketedEvent | None:
        return self.known if event_id == self.known.event_id else None

    def seats(self, event: TicketedEvent, seat_ids: Collection[UUID] | None = None) -> Sequence[Seat] | None:
        return [row for row in self.rows if seat_ids is None or row.seat_id in seat_ids]

    @property
    def breaker_state(self) -> str | None:
        return None

    def close(self) -> None:
        pass


def test_a_member_whose_event_must_be_fetched_goes_alone(failing: Failing) -> None:
    store = failing.fixture.store
    new = TicketedEvent(
        event_id=UUID(int=7),
        name="New",
        starts_at=datetime.now(UTC) + timedelta(days=3),
        status=SaleStatus.ON_SALE,
        currency="USD",
    )
    cache = CatalogCache(store=store, catalog=RecordingCatalog(new, failing.fixture.seats))
    elsewhere = ReservationRequest(command=StoreFixture(store, new, failing.fixture.seats).command(0, user="grace"))

    outcomes = reserve_many([request_of(failing.fixture, 0), elsewhere], store=store, catalog_cache=cache)

    assert kinds(outcomes) == [Booking, Booking]


def test_an_event_that_is_too_old_to_be_sold_goes_alone() -> None:
    harness = MemoryStoreHarness()
    fixture = StoreFixture.of(harness)
    with harness.store.unit_of_work() as uow:
        uow.events.put(fixture.event, ages=True, complete=True)
        uow.commit()
    refreshed: list[Callable[[], None]] = []
    cache = CatalogCache(
        store=harness.store, catalog=RecordingCatalog(fixture.event, fixture.seats), later=refreshed.append
    )
    requests = several(fixture, 0, 1)
    harness.advance(50)

    assert kinds(reserve_group(requests, store=harness.store, catalog_cache=cache)) == [Booking, Booking]
    assert len(refreshed) == 1  # older than half a minute: sold, and refreshed in the background
    harness.advance(3600)
    later = several(fixture, 2, 3)
    assert kinds(reserve_group(later, store=harness.store, catalog_cache=cache)) == [Deferral.CATALOG_STALE] * 2
    assert kinds(reserve_many(later, store=harness.store, catalog_cache=cache)) == [Booking, Booking]


@pytest.mark.parametrize("text", ["", "\0", "a" * 256, "\ud800"])
def test_a_key_that_no_store_can_keep_is_refused_before_any_group(text: str) -> None:
    error = refused(InvalidValue, lambda: IdempotencyKey(user_id="ada", operation="POST", key=text, fingerprint="f"))

    assert error.field == "key"


def test_user_operation_and_key_fit_an_index_together() -> None:
    wide = "😀" * 255

    IdempotencyKey(user_id=wide, operation=wide, key="k" * 255, fingerprint="f")
    error = refused(InvalidValue, lambda: IdempotencyKey(user_id=wide, operation=wide, key=wide, fingerprint="f"))

    assert error.field == "key"
