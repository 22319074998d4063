"""How often a use case is run again: three times after a conflict, and never after a refusal (spec 6.1)."""

from collections.abc import Callable

import pytest

from booking_core.application.retries import in_unit_of_work
from booking_core.application.system_runtime import SystemRuntime
from booking_core.domain.errors import CommitOutcomeUnknown, SeatAlreadyReserved, ServiceBusy, TransactionConflict
from booking_core.ports import UnitOfWork
from booking_memory.store import MemoryStore
from booking_postgres.adapter import create


class Recording(SystemRuntime):
    """The real runtime, but for sleeping: it records the pauses instead."""

    def __init__(self) -> None:
        self.pauses: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)


@pytest.fixture
def runtime() -> Recording:
    return Recording()


def failing(*errors: Exception) -> tuple[Callable[[UnitOfWork], str], list[UnitOfWork]]:
    """Work that raises these, one an attempt, and then is done; and the units of work that it was given."""
    given: list[UnitOfWork] = []

    def work(uow: UnitOfWork) -> str:
        given.append(uow)
        if len(given) <= len(errors):
            raise errors[len(given) - 1]
        return "done"

    return work, given


@pytest.mark.parametrize("conflicts", [0, 1, 3])
def test_a_conflict_is_tried_again_in_a_new_unit_of_work(runtime: Recording, conflicts: int) -> None:
    work, given = failing(*[TransactionConflict()] * conflicts)

    assert in_unit_of_work(MemoryStore(), work, runtime=runtime) == "done"
    assert len({id(uow) for uow in given}) == 1 + conflicts
    assert len(runtime.pauses) == conflicts
    assert all(0 <= pause <= 0.01 * 2**attempt for attempt, pause in enumerate(runtime.pauses, 1))


def test_the_fourth_conflict_is_the_callers(runtime: Recording) -> None:
    work, given = failing(*[TransactionConflict()] * 4)

    with pytest.raises(TransactionConflict):
        in_unit_of_work(MemoryStore(), work, runtime=runtime)
    assert len(given) == 4


@pytest.mark.parametrize("error", [SeatAlreadyReserved(), ServiceBusy(), ValueError()], ids=lambda e: type(e).__name__)
def test_nothing_else_is_tried_again(error: Exception, runtime: Recording) -> None:
    work, given = failing(error)

    with pytest.raises(type(error)):
        in_unit_of_work(MemoryStore(), work, runtime=runtime)
    assert len(given) == 1


@pytest.mark.parametrize(("repeatable", "attempts"), [(True, 2), (False, 1)])
def test_after_a_lost_reply_only_what_may_be_done_twice_is_run_again(
    repeatable: bool, attempts: int, runtime: Recording
) -> None:
    work, given = failing(CommitOutcomeUnknown())

    try:
        in_unit_of_work(MemoryStore(), work, repeatable=repeatable, runtime=runtime)
    except CommitOutcomeUnknown:
        assert not repeatable
    assert len(given) == attempts


def test_our_stores_ask_for_three_attempts_more() -> None:
    postgres = create({"BOOKING_DATABASE_URL": "postgresql://nobody.invalid/booking"})  # connects to nothing

    assert (MemoryStore().retries, postgres.retries) == (3, 3)
    postgres.close()
