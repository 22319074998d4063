"""The suite of requests with an idempotency key."""

from uuid import UUID

from attrs import evolve

from booking_core.application import IdempotentCall, ReplayedResponse, reserve_once
from booking_core.contracts.harness import StoreHarness
from booking_core.contracts.store.fixture import StoreFixture, content_of, in_parallel, refused
from booking_core.domain.booking import Booking
from booking_core.domain.errors import IdempotencyInProgress, IdempotencyKeyReused, ServiceBusy
from booking_core.domain.reservation import IdempotencyKey
from booking_core.ports import LockedSeats, Page, Store, StoredResponse

KEY = IdempotencyKey(user_id="ada", operation="POST /api/v1/bookings", key="key-1", fingerprint="content-1")
OTHER_SCOPES = (
    evolve(KEY, user_id="grace"),
    evolve(KEY, operation="POST /api/v1/events/1/cancel"),
    evolve(KEY, key="key-2"),
)


class IdempotencyContract:
    """`StoredResponses`, and the keys that `lock_seats` locks itself."""

    def test_a_response_is_stored_under_its_fingerprint(self, store_harness: StoreHarness) -> None:
        fixture = StoreFixture.of(store_harness)
        self._keep(fixture.store, KEY, '{"bookingId": "…"}')

        with fixture.store.unit_of_work() as uow:
            assert uow.responses.claim(KEY) == StoredResponse(text='{"bookingId": "…"}')
            for other in OTHER_SCOPES:
                assert uow.responses.claim(other) is None

    def test_many_stored_responses_are_looked_up_at_once(self, store_harness: StoreHarness) -> None:
        store = StoreFixture.of(store_harness).store
        self._keep(store, KEY, "stored")
        self._keep(store, OTHER_SCOPES[1], "stored")
        with store.unit_of_work() as uow:
            uow.responses.claim(OTHER_SCOPES[2])
            uow.responses.keep(OTHER_SCOPES[2], "not committed")

        asked = [OTHER_SCOPES[0], KEY, OTHER_SCOPES[2], evolve(KEY, fingerprint="content-2"), OTHER_SCOPES[1], KEY]
        assert list(store.reads.stored_responses(asked)) == [False, True, False, True, True, True]
        assert list(store.reads.stored_responses([])) == []

    def test_reserving_finds_stored_responses_and_stores_its_own(self, store_harness: StoreHarness) -> None:
        fixture = StoreFixture.of(store_harness)
        self._keep(fixture.store, KEY, "earlier")
        assert self._lock_seats(fixture, KEY) == StoredResponse(text="earlier")

        reserve_once(
            fixture.command(0),
            once=IdempotentCall(key=OTHER_SCOPES[2], render=lambda made: str(made.booking_id)),
            store=fixture.store,
        )

        response = self._lock_seats(fixture, OTHER_SCOPES[2])
        assert isinstance(response, StoredResponse)
        made = fixture.store.reads.booking(UUID(response.text))
        assert made is not None
        assert content_of(made.booking) == content_of(fixture.stored(made.booking))

    def test_another_request_under_the_same_key_is_refused(self, store_harness: StoreHarness) -> None:
        fixture = StoreFixture.of(store_harness)
        self._keep(fixture.store, KEY, "earlier")
        reused = evolve(KEY, fingerprint="content-2")

        def claim() -> None:
            with fixture.store.unit_of_work() as uow:
                uow.responses.claim(reused)

        refused(IdempotencyKeyReused, claim)
        refused(IdempotencyKeyReused, lambda: self._lock_seats(fixture, reused))

    def test_a_running_first_request_is_waited_for_within_bounds(self, store_harness: StoreHarness) -> None:
        fixture = StoreFixture.of(store_harness)

        def claim() -> None:
            with fixture.store.unit_of_work() as second:
                second.responses.claim(KEY)

        with fixture.store.unit_of_work() as first:
            assert first.responses.claim(KEY) is None

            refused(IdempotencyInProgress, claim)
            refused(IdempotencyInProgress, lambda: self._lock_seats(fixture, KEY))

        claim()

    def test_the_first_reservation_still_running_is_waited_for_within_bounds(self, store_harness: StoreHarness) -> None:
        fixture = StoreFixture.of(store_harness)
        with fixture.store.unit_of_work() as first:
            assert isinstance(first.bookings.lock_seats(evolve(fixture.request(0), idempotency=KEY)), LockedSeats)

            refused(IdempotencyInProgress, lambda: self._lock_seats(fixture, KEY))
            other = refused(ServiceBusy, lambda: self._lock_seats(fixture, OTHER_SCOPES[2]))
            assert not isinstance(other, IdempotencyInProgress)

        assert isinstance(self._lock_seats(fixture, KEY), LockedSeats)

    def test_a_rollback_stores_no_response(self, store_harness: StoreHarness) -> None:
        fixture = StoreFixture.of(store_harness)
        with fixture.store.unit_of_work() as uow:
            uow.responses.claim(KEY)
            uow.responses.keep(KEY, "never given")

        assert isinstance(self._lock_seats(fixture, KEY), LockedSeats)

    def test_old_responses_are_pruned_and_young_ones_kept(self, store_harness: StoreHarness) -> None:
        fixture = StoreFixture.of(store_harness)
        self._keep(fixture.store, KEY, "old")
        store_harness.advance(25 * 3600)
        self._keep(fixture.store, OTHER_SCOPES[0], "young")

        assert fixture.store.upkeep.prune(idempotency_hours=24, retention_days=7, limit=100).rows >= 1

        with fixture.store.unit_of_work() as uow:
            assert uow.responses.claim(KEY) is None
            assert uow.responses.claim(OTHER_SCOPES[0]) == StoredResponse(text="young")

    def test_pruning_stops_at_its_limit(self, store_harness: StoreHarness) -> None:
        store = StoreFixture.of(store_harness).store
        for key in (KEY, *OTHER_SCOPES):
            self._keep(store, key, "old")
        store_harness.advance(25 * 3600)

        pruned = [store.upkeep.prune(idempotency_hours=24, retention_days=7, limit=3).rows for _ in range(3)]

        assert pruned == [3, 1, 0]

    def test_the_same_request_many_times_at_once_makes_one_booking(self, store_harness: StoreHarness) -> None:
        fixture = StoreFixture.of(store_harness)
        once = IdempotentCall(key=KEY, render=lambda made: str(made.booking_id))

        def post() -> Booking | ReplayedResponse:
            return reserve_once(fixture.command(0), once=once, store=fixture.store)

        outcomes = in_parallel([post] * 8)

        (made,) = [outcome for outcome in outcomes if isinstance(outcome, Booking)]
        others = [outcome for outcome in outcomes if outcome is not made]
        assert all(
            isinstance(outcome, IdempotencyInProgress) or outcome == ReplayedResponse(text=str(made.booking_id))
            for outcome in others
        ), others
        assert fixture.store.reads.bookings_of("ada", None, Page()).total == 1

    def _keep(self, store: Store, key: IdempotencyKey, answer: str) -> None:
        with store.unit_of_work() as uow:
            assert uow.responses.claim(key) is None
            uow.responses.keep(key, answer)
            uow.commit()

    def _lock_seats(self, fixture: StoreFixture, key: IdempotencyKey) -> LockedSeats | StoredResponse:
        with fixture.store.unit_of_work() as uow:
            return uow.bookings.lock_seats(evolve(fixture.request(0), idempotency=key))
