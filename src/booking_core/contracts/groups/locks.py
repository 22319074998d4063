"""Groups and the locks of others: a group waits for no seat and no known user, and what it skips proves nothing."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from time import monotonic
from typing import Final

from booking_core.contracts.groups.requests import KEY, all_of, grouped, kinds, request_of, with_key
from booking_core.contracts.harness import StoreHarness
from booking_core.contracts.store.fixture import StoreFixture, in_parallel, lock_seats
from booking_core.domain.booking import Booking
from booking_core.domain.errors import BookingError, PendingLimitReached, SeatAlreadyReserved
from booking_core.domain.group import Deferral, MemberFacts
from booking_core.domain.lifecycle import Status
from booking_core.ports import Page

AT_ONCE_SECONDS: Final = 0.15
"""Far below every bounded wait for a lock, and far above what a group takes."""


@contextmanager
def at_once() -> Iterator[None]:
    """Fail if the block waited for a lock."""
    began = monotonic()
    yield
    assert monotonic() - began < AT_ONCE_SECONDS, "the group has waited"


class GroupLocksContract:
    """`BookingRepository.lock_group` while other units of work hold locks."""

    def test_a_locked_seat_defers_its_member_alone(self, store_harness: StoreHarness) -> None:
        fixture = StoreFixture.of(store_harness)
        with fixture.store.unit_of_work() as rival:
            lock_seats(rival, fixture.request(0, user="rival"))
            with at_once():
                outcomes = grouped(fixture, request_of(fixture, 0, 1), request_of(fixture, 1), request_of(fixture, 2))

        assert kinds(outcomes) == [Deferral.SEAT_LOCKED_OR_UNKNOWN, Booking, Booking]

    def test_a_deferred_member_is_reserved_once_the_lock_is_free(self, store_harness: StoreHarness) -> None:
        fixture = StoreFixture.of(store_harness)

        def reserve_rival() -> list[object]:
            return [fixture.reserve(0, user="rival")]

        def reserve_group_of_two() -> list[object]:
            return all_of(fixture, request_of(fixture, 0), request_of(fixture, 1))

        jobs: list[Callable[[], list[object]]] = [reserve_rival, reserve_group_of_two]
        rival, outcomes = in_parallel(jobs)

        assert not isinstance(outcomes, BookingError)
        assert isinstance(outcomes[1], Booking)
        winner = [isinstance(rival, list), isinstance(outcomes[0], Booking)]
        assert winner in ([True, False], [False, True])
        assert winner[1] or isinstance(outcomes[0], SeatAlreadyReserved)

    def test_a_locked_user_defers_the_members_of_this_user(self, store_harness: StoreHarness) -> None:
        fixture = StoreFixture.of(store_harness)
        fixture.reserve(5)
        with fixture.store.unit_of_work() as rival:
            lock_seats(rival, fixture.request(0))
            with at_once():
                outcomes = grouped(
                    fixture, request_of(fixture, 1), request_of(fixture, 1, user="grace"), request_of(fixture, 2)
                )

        # The seat of a member whose user is locked is not locked for it: the next member gets it.
        assert kinds(outcomes) == [Deferral.USER_LOCKED, Booking, Deferral.USER_LOCKED]

    def test_a_user_seen_for_the_first_time_is_waited_for_briefly(self, store_harness: StoreHarness) -> None:
        fixture = StoreFixture.of(store_harness)
        with fixture.store.unit_of_work() as rival:
            lock_seats(rival, fixture.request(0, user="new"))
            with at_once():
                outcomes = grouped(fixture, request_of(fixture, 1, user="new"), request_of(fixture, 2))
                rest = grouped(fixture, request_of(fixture, 3), request_of(fixture, 4, user="grace"))

        assert outcomes[0] is Deferral.USER_LOCKED
        assert kinds(rest) == [Booking, Booking]

    def test_the_limit_is_not_judged_for_a_user_who_is_locked(self, store_harness: StoreHarness) -> None:
        fixture = StoreFixture.of(store_harness)
        for place in (0, 1, 2):
            fixture.reserve(place)
        with fixture.store.unit_of_work() as rival:
            lock_seats(rival, fixture.request(3))
            outcomes = grouped(fixture, request_of(fixture, 4), request_of(fixture, 5))

        assert kinds(outcomes) == [Deferral.USER_LOCKED] * 2
        assert kinds(all_of(fixture, request_of(fixture, 4), request_of(fixture, 5))) == [PendingLimitReached] * 2

    def test_a_taken_seat_is_refused_whatever_is_locked(self, store_harness: StoreHarness) -> None:
        fixture = StoreFixture.of(store_harness)
        fixture.reserve(0, user="grace")
        fixture.reserve(5)
        with fixture.store.unit_of_work() as rival:
            lock_seats(rival, fixture.request(1))
            with at_once():
                outcomes = grouped(fixture, request_of(fixture, 0), request_of(fixture, 0, 1, user="alan"))

        assert kinds(outcomes) == [SeatAlreadyReserved] * 2

    def test_a_taken_seat_costs_no_lock(self, store_harness: StoreHarness) -> None:
        fixture = StoreFixture.of(store_harness)
        fixture.reserve(0, user="grace")
        fixture.reserve(5)
        requests = [fixture.request(0, 1), fixture.request(2, user="alan")]
        with fixture.store.unit_of_work() as group:
            first, _ = group.bookings.lock_group(requests)
            assert isinstance(first, MemberFacts)
            assert (first.user_is_locked, dict(first.seats)) == (False, {})

            with at_once():
                assert fixture.reserve(1).status is Status.PENDING

    def test_a_group_keeps_its_locks_until_it_ends(self, store_harness: StoreHarness) -> None:
        fixture = StoreFixture.of(store_harness)
        with fixture.store.unit_of_work() as group:
            group.bookings.lock_group([fixture.request(0), fixture.request(1, user="grace")])
            with at_once():
                outcomes = grouped(fixture, request_of(fixture, 0, user="alan"), request_of(fixture, 2, user="alan"))

        assert kinds(outcomes) == [Deferral.SEAT_LOCKED_OR_UNKNOWN, Booking]

    def test_a_key_that_is_claimed_elsewhere_goes_alone(self, store_harness: StoreHarness) -> None:
        fixture = StoreFixture.of(store_harness)
        fixture.reserve(5)
        with fixture.store.unit_of_work() as first:
            first.responses.claim(KEY)
            outcomes = grouped(fixture, with_key(fixture, 0), request_of(fixture, 1))

        assert isinstance(outcomes[0], Deferral)
        assert outcomes[0] in (Deferral.IDEMPOTENCY_KEY, Deferral.WRITE_FAILED)
        assert kinds(grouped(fixture, with_key(fixture, 2), request_of(fixture, 3, user="grace"))) == [Booking] * 2

    def test_parallel_groups_sell_each_seat_once(self, store_harness: StoreHarness) -> None:
        fixture = StoreFixture.of(store_harness, seats=12)

        def group(number: int) -> list[object]:
            requests = [request_of(fixture, place, user=f"user-{number}-{place}") for place in range(12)]
            return all_of(fixture, *requests)

        groups = in_parallel([partial(group, number) for number in range(4)])

        for place in range(12):
            outcomes = [each[place] for each in groups if not isinstance(each, BookingError)]
            assert len(outcomes) == 4
            assert sum(isinstance(outcome, Booking) for outcome in outcomes) == 1, outcomes
            assert all(isinstance(outcome, Booking | SeatAlreadyReserved) for outcome in outcomes), outcomes

    def test_parallel_groups_keep_the_limit_of_a_user(self, store_harness: StoreHarness) -> None:
        fixture = StoreFixture.of(store_harness, seats=12)

        def group(number: int) -> list[object]:
            requests = [request_of(fixture, place) for place in range(number * 3, number * 3 + 3)]
            return all_of(fixture, *requests)

        groups = in_parallel([partial(group, number) for number in range(4)])

        outcomes = [outcome for each in groups if not isinstance(each, BookingError) for outcome in each]
        assert sum(isinstance(outcome, Booking) for outcome in outcomes) == 3
        assert fixture.store.reads.bookings_of("ada", Status.PENDING, Page()).total == 3
