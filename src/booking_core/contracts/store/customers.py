"""The suite of customers: a user's id is replaced everywhere, atomically, and never under a reservation."""

import json
from collections.abc import Callable

from attrs import evolve

from booking_core.application import ForgetUser, expire, forget
from booking_core.contracts.harness import StoreHarness
from booking_core.contracts.store.fixture import StoreFixture, content_of, in_parallel, refused
from booking_core.domain.booking import Booking
from booking_core.domain.errors import CustomerHasLiveBooking
from booking_core.domain.lifecycle import Status
from booking_core.domain.reservation import IdempotencyKey, StoredResponse
from booking_core.domain.values import ActorKind
from booking_core.ports import BookingSelection, Page, Store

USER = 'ada "the first" \\ countess, née Byron'


def forget_user(store: Store, user: str = USER) -> str:
    """Forget the user; return the pseudonym."""
    return forget(ForgetUser(user_id=user, administrator="root", correlation_id="forgetting"), store=store).pseudonym


class CustomersContract:
    """`CustomerRepository`, through the use case."""

    def test_the_id_is_replaced_everywhere_and_all_else_stays(self, store_harness: StoreHarness) -> None:
        fixture = StoreFixture.of(store_harness)
        store = fixture.store
        paid, gone, other = fixture.reserve(0, user=USER), fixture.reserve(1, user=USER), fixture.reserve(2)
        fixture.pay(paid)
        for booking in (paid, gone):
            fixture.cancel(booking)
        before = [fixture.stored(booking) for booking in (paid, gone, other)]
        histories = [list(store.reads.history(booking.booking_id)) for booking in before]

        pseudonym = forget_user(store)

        after = [fixture.stored(booking) for booking in before]
        assert [booking.user_id for booking in after] == [pseudonym, pseudonym, "ada"]
        for old, new in zip(before, after, strict=True):
            assert content_of(new) == content_of(old) | {"user_id": new.user_id}
        for old_history, booking in zip(histories, after, strict=True):
            new_history = list(store.reads.history(booking.booking_id))
            assert [entry.trigger for entry in new_history] == [entry.trigger for entry in old_history]
            customers = {entry.actor_id for entry in new_history if entry.actor is ActorKind.CUSTOMER}
            assert customers == {booking.user_id}
        for record in store_harness.events():
            message = json.loads(record.body)
            assert message["payload"]["userId"] == ("ada" if record.key == other.booking_id else pseudonym)
            assert json.dumps(USER).encode() not in record.body
        assert list(store.reads.bookings_of(USER, None, Page()).items) == []
        assert store.operators.find(BookingSelection(user_id=pseudonym), Page()).total == 2

    def test_a_live_booking_refuses_and_nothing_changes(self, store_harness: StoreHarness) -> None:
        fixture = StoreFixture.of(store_harness)
        ended, live = fixture.reserve(0, user=USER), fixture.reserve(1, user=USER)
        fixture.cancel(ended)

        error = refused(CustomerHasLiveBooking, lambda: forget_user(fixture.store))
        assert error.details == {"bookingIds": [str(live.booking_id)]}
        fixture.pay(live)
        refused(CustomerHasLiveBooking, lambda: forget_user(fixture.store))

        assert {booking.user_id for booking in (fixture.stored(ended), fixture.stored(live))} == {USER}
        fixture.cancel(live)
        assert forget_user(fixture.store) == fixture.stored(live).user_id

    def test_a_ticket_of_an_event_that_has_started_is_not_live(self, store_harness: StoreHarness) -> None:
        fixture = StoreFixture.of(store_harness, days=1 / 86400 * 30)
        made = fixture.reserve(0, user=USER)
        fixture.pay(made)
        refused(CustomerHasLiveBooking, lambda: forget_user(fixture.store))
        with fixture.store.unit_of_work() as uow:
            started = fixture.store.reads.now()
            uow.events.put(evolve(fixture.event, starts_at=started), ages=False, complete=True)
            uow.commit()

        assert fixture.stored(made).status is Status.CONFIRMED
        assert forget_user(fixture.store) == fixture.stored(made).user_id

    def test_an_overdue_hold_is_ended_first(self, store_harness: StoreHarness) -> None:
        fixture = StoreFixture.of(store_harness)
        made = fixture.reserve(0, user=USER, window=1)
        store_harness.advance(2)

        pseudonym = forget_user(fixture.store)

        stored = fixture.stored(made)
        assert (stored.status, stored.user_id) == (Status.CANCELLED, pseudonym)
        assert {json.loads(record.body)["payload"]["userId"] for record in store_harness.events()} == {pseudonym}
        assert expire(store=fixture.store).expired == 0

    def test_events_of_expiry_in_sets_lose_the_id(self, store_harness: StoreHarness) -> None:
        fixture = StoreFixture.of(store_harness)
        fixture.reserve(0, user=USER, window=1)
        store_harness.advance(2)
        assert expire(store=fixture.store).expired == 1

        pseudonym = forget_user(fixture.store)

        assert {json.loads(record.body)["payload"]["userId"] for record in store_harness.events()} == {pseudonym}

    def test_keys_and_responses_lose_the_id(self, store_harness: StoreHarness) -> None:
        fixture = StoreFixture.of(store_harness)
        key = IdempotencyKey(user_id=USER, operation="POST /x", key="k", fingerprint="f")
        with fixture.store.unit_of_work() as uow:
            assert uow.responses.claim(key) is None
            uow.responses.keep(key, json.dumps({"user": USER, "raw": "kept"}))
            uow.commit()

        pseudonym = forget_user(fixture.store)

        renamed = IdempotencyKey(user_id=pseudonym, operation="POST /x", key="k", fingerprint="f")
        assert list(fixture.store.reads.stored_responses([key, renamed])) == [False, True]
        with fixture.store.unit_of_work() as uow:
            response = uow.responses.claim(renamed)
            assert isinstance(response, StoredResponse)
            assert json.loads(response.text) == {"user": pseudonym, "raw": "kept"}

    def test_an_unknown_user_is_forgotten_without_a_trace(self, store_harness: StoreHarness) -> None:
        store = store_harness.store
        forget_user(store, "nobody")
        assert store.operators.find(BookingSelection(), Page()).total == 0

    def test_reservations_of_the_user_come_before_or_after(self, store_harness: StoreHarness) -> None:
        fixture = StoreFixture.of(store_harness, seats=8)
        ended = fixture.reserve(7, user=USER)
        fixture.cancel(ended)

        jobs: list[Callable[[], Booking | str]] = [
            lambda: fixture.reserve(0, user=USER),
            lambda: fixture.reserve(1, user=USER),
            lambda: forget_user(fixture.store),
        ]
        outcomes = in_parallel(jobs)

        made = [outcome for outcome in outcomes[:2] if isinstance(outcome, Booking)]
        was_forgotten = isinstance(outcomes[2], str)
        assert was_forgotten or isinstance(outcomes[2], CustomerHasLiveBooking)
        # What was reserved afterwards belongs to the id, and what was there before to the pseudonym: nothing is mixed.
        assert {fixture.stored(booking).user_id for booking in made} <= {USER}
        assert (fixture.stored(ended).user_id != USER) is was_forgotten
        for record in store_harness.events():
            owner = USER if record.key != ended.booking_id or not was_forgotten else outcomes[2]
            assert json.loads(record.body)["payload"]["userId"] == owner
