"""What arrives twice: messages (FR-11) and requests with an idempotency key."""

from uuid import UUID, uuid4

from attrs import evolve

from booking_core.application import EarlierAnswer, Once, reserve_once
from booking_core.contracts.harness import StoreHarness
from booking_core.contracts.store.crowd import at_once
from booking_core.contracts.store.fixture import Scenery, facts, refused
from booking_core.domain.booking import Booking
from booking_core.domain.errors import IdempotencyInProgress, IdempotencyKeyReused
from booking_core.domain.reservation import IdempotencyKey
from booking_core.ports import LockedSeats, Page, Store

KEY = IdempotencyKey(user_id="ada", operation="POST /api/v1/bookings", key="key-1", fingerprint="content-1")
OTHER_SCOPES = (
    evolve(KEY, user_id="grace"),
    evolve(KEY, operation="POST /api/v1/events/1/cancel"),
    evolve(KEY, key="key-2"),
)


class InboxContract:
    """`Inbox`: a message is applied once."""

    def test_a_message_is_remembered_once(self, store_harness: StoreHarness) -> None:
        scenery = Scenery.of(store_harness)
        booking_id, message_id = scenery.reserve(0).booking_id, uuid4()

        assert self._remember(scenery.store, booking_id, message_id)
        assert not self._remember(scenery.store, booking_id, message_id)
        assert self._remember(scenery.store, booking_id, uuid4())

    def test_twice_in_one_unit_of_work(self, store_harness: StoreHarness) -> None:
        scenery = Scenery.of(store_harness)
        booking_id, message_id = scenery.reserve(0).booking_id, uuid4()
        with scenery.store.unit_of_work() as uow:
            assert uow.inbox.remember([(booking_id, message_id)]) == [True]
            assert uow.inbox.remember([(booking_id, message_id)]) == [False]

    def test_several_at_once(self, store_harness: StoreHarness) -> None:
        scenery = Scenery.of(store_harness)
        first, second = scenery.reserve(0).booking_id, scenery.reserve(1).booking_id
        known, message_id, other = uuid4(), uuid4(), uuid4()
        self._remember(scenery.store, first, known)
        with scenery.store.unit_of_work() as uow:
            messages = [(second, other), (first, known), (first, message_id), (first, message_id)]

            assert uow.inbox.remember(messages) == [True, False, True, False]
            assert uow.inbox.remember([]) == []

    def test_a_rollback_forgets(self, store_harness: StoreHarness) -> None:
        scenery = Scenery.of(store_harness)
        booking_id, message_id = scenery.reserve(0).booking_id, uuid4()
        with scenery.store.unit_of_work() as uow:
            assert uow.inbox.remember([(booking_id, message_id)]) == [True]

        assert self._remember(scenery.store, booking_id, message_id)

    def test_old_messages_are_pruned_and_young_ones_kept(self, store_harness: StoreHarness) -> None:
        scenery = Scenery.of(store_harness)
        booking_id, old, young = scenery.reserve(0).booking_id, uuid4(), uuid4()
        self._remember(scenery.store, booking_id, old)
        store_harness.advance(3 * 86400)
        self._remember(scenery.store, booking_id, young)

        scenery.store.prune(idempotency_hours=24, retention_days=2, limit=100)

        assert not self._remember(scenery.store, booking_id, young)
        assert self._remember(scenery.store, booking_id, old)

    def _remember(self, store: Store, booking_id: UUID, message_id: UUID) -> bool:
        with store.unit_of_work() as uow:
            uow.bookings.lock(booking_id)
            [is_new] = uow.inbox.remember([(booking_id, message_id)])
            uow.commit()
            return is_new


class IdempotencyContract:
    """`IdempotencyKeys`, and the keys that reserving locks itself."""

    def test_an_answer_is_kept_with_what_it_answers(self, store_harness: StoreHarness) -> None:
        scenery = Scenery.of(store_harness)
        self._keep(scenery.store, KEY, '{"bookingId": "…"}')

        with scenery.store.unit_of_work() as uow:
            assert uow.idempotency.claim(KEY) == '{"bookingId": "…"}'
            for other in OTHER_SCOPES:
                assert uow.idempotency.claim(other) is None

    def test_many_can_be_asked_for_at_once(self, store_harness: StoreHarness) -> None:
        store = Scenery.of(store_harness).store
        self._keep(store, KEY, "kept")
        self._keep(store, OTHER_SCOPES[1], "kept")
        with store.unit_of_work() as uow:
            uow.idempotency.claim(OTHER_SCOPES[2])
            uow.idempotency.keep(OTHER_SCOPES[2], "not committed")

        asked = [OTHER_SCOPES[0], KEY, OTHER_SCOPES[2], evolve(KEY, fingerprint="content-2"), OTHER_SCOPES[1], KEY]
        assert list(store.queries.have_answers(asked)) == [False, True, False, True, True, True]
        assert list(store.queries.have_answers([])) == []

    def test_reserving_finds_it_and_its_own_answers_are_found(self, store_harness: StoreHarness) -> None:
        scenery = Scenery.of(store_harness)
        self._keep(scenery.store, KEY, "earlier")
        assert self._scene(scenery, KEY).earlier_answer == "earlier"

        reserve_once(
            scenery.command(0),
            once=Once(key=OTHER_SCOPES[2], render=lambda made: str(made.booking_id)),
            store=scenery.store,
        )

        answer = self._scene(scenery, OTHER_SCOPES[2]).earlier_answer
        assert answer is not None
        made = scenery.store.queries.booking(UUID(answer))
        assert made is not None
        assert facts(made.booking) == facts(scenery.stored(made.booking))

    def test_another_request_under_the_same_key_is_refused(self, store_harness: StoreHarness) -> None:
        scenery = Scenery.of(store_harness)
        self._keep(scenery.store, KEY, "earlier")
        reused = evolve(KEY, fingerprint="content-2")

        def claim() -> None:
            with scenery.store.unit_of_work() as uow:
                uow.idempotency.claim(reused)

        refused(IdempotencyKeyReused, claim)
        refused(IdempotencyKeyReused, lambda: self._scene(scenery, reused))

    def test_the_first_still_running_is_waited_for_within_bounds(self, store_harness: StoreHarness) -> None:
        scenery = Scenery.of(store_harness)

        def claim() -> None:
            with scenery.store.unit_of_work() as second:
                second.idempotency.claim(KEY)

        with scenery.store.unit_of_work() as first:
            assert first.idempotency.claim(KEY) is None

            refused(IdempotencyInProgress, claim)
            refused(IdempotencyInProgress, lambda: self._scene(scenery, KEY))

        claim()

    def test_a_rollback_keeps_no_answer(self, store_harness: StoreHarness) -> None:
        scenery = Scenery.of(store_harness)
        with scenery.store.unit_of_work() as uow:
            uow.idempotency.claim(KEY)
            uow.idempotency.keep(KEY, "never given")

        assert self._scene(scenery, KEY).earlier_answer is None

    def test_old_answers_are_pruned_and_young_ones_kept(self, store_harness: StoreHarness) -> None:
        scenery = Scenery.of(store_harness)
        self._keep(scenery.store, KEY, "old")
        store_harness.advance(25 * 3600)
        self._keep(scenery.store, OTHER_SCOPES[0], "young")

        assert scenery.store.prune(idempotency_hours=24, retention_days=7, limit=100) >= 1

        with scenery.store.unit_of_work() as uow:
            assert uow.idempotency.claim(KEY) is None
            assert uow.idempotency.claim(OTHER_SCOPES[0]) == "young"

    def test_pruning_keeps_to_its_limit(self, store_harness: StoreHarness) -> None:
        store = Scenery.of(store_harness).store
        for key in (KEY, *OTHER_SCOPES):
            self._keep(store, key, "old")
        store_harness.advance(25 * 3600)

        pruned = [store.prune(idempotency_hours=24, retention_days=7, limit=3) for _ in range(3)]

        assert pruned == [3, 1, 0]

    def test_the_same_request_many_times_at_once_makes_one_booking(self, store_harness: StoreHarness) -> None:
        scenery = Scenery.of(store_harness)
        once = Once(key=KEY, render=lambda made: str(made.booking_id))

        def post() -> Booking | EarlierAnswer:
            return reserve_once(scenery.command(0), once=once, store=scenery.store)

        outcomes = at_once([post] * 8)

        (made,) = [outcome for outcome in outcomes if isinstance(outcome, Booking)]
        others = [outcome for outcome in outcomes if outcome is not made]
        assert all(
            isinstance(outcome, IdempotencyInProgress) or outcome == EarlierAnswer(text=str(made.booking_id))
            for outcome in others
        ), others
        assert scenery.store.queries.bookings_of("ada", None, Page()).total == 1

    def _keep(self, store: Store, key: IdempotencyKey, answer: str) -> None:
        with store.unit_of_work() as uow:
            assert uow.idempotency.claim(key) is None
            uow.idempotency.keep(key, answer)
            uow.commit()

    def _scene(self, scenery: Scenery, key: IdempotencyKey) -> LockedSeats:
        with scenery.store.unit_of_work() as uow:
            return uow.bookings.lock_seats(evolve(scenery.request(0), idempotency=key))
