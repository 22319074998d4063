"""Idempotency keys of reservations in a group: read under the user's lock, and written for granted members only."""

from typing import Final

from attrs import evolve

from booking_core.application import IdempotentCall, ReplayedResponse, reserve_once
from booking_core.contracts.groups.requests import KEY, all_of, grouped, kinds, request_of, with_key
from booking_core.contracts.harness import StoreHarness
from booking_core.contracts.store.fixture import StoreFixture, refused
from booking_core.contracts.wire import payload_of
from booking_core.domain.booking import Booking
from booking_core.domain.errors import IdempotencyKeyReused, SeatAlreadyReserved, TransactionConflict
from booking_core.domain.group import Deferral
from booking_core.domain.values import SeatStatus
from booking_core.ports import NewBooking, Page, StoredResponse

_DAY_SECONDS: Final = 86400


class GroupKeysContract:
    """`IdempotentCall` in a group."""

    def test_texts_of_every_kind_are_stored_as_they_are(self, store_harness: StoreHarness) -> None:
        fixture = StoreFixture.of(store_harness)
        users = ['quote " backslash \\ brace }{,', "NULL", "ü 😀 \n\t", "'; DROP TABLE x; --"]
        answers = [f'{{"text": "{user}\\\\"}}' for user in users]
        requests = [
            request_of(
                fixture,
                place,
                user=user,
                once=IdempotentCall(key=evolve(KEY, user_id=user, key=user), render=lambda _, text=text: text),  # type: ignore[misc]
            )
            for place, (user, text) in enumerate(zip(users, answers, strict=True))
        ]

        made = grouped(fixture, *requests)

        for booking, user in zip(made, users, strict=True):
            assert fixture.stored(booking).user_id == user
            [event] = [each for each in store_harness.events() if each.key == booking.booking_id]
            assert payload_of(event)["userId"] == user
        assert grouped(fixture, *requests) == [ReplayedResponse(text=text) for text in answers]

    def test_a_key_is_kept_with_a_granted_request_only(self, store_harness: StoreHarness) -> None:
        fixture = StoreFixture.of(store_harness)
        other = evolve(KEY, key="key-2")

        made, taken = grouped(fixture, with_key(fixture, 0), with_key(fixture, 0, key=other))

        assert isinstance(taken, SeatAlreadyReserved)
        assert list(fixture.store.reads.stored_responses([KEY, other])) == [True, False]
        with fixture.store.unit_of_work() as uow:
            assert uow.responses.claim(KEY) == StoredResponse(text=str(made.booking_id))
        assert kinds(grouped(fixture, with_key(fixture, 1, key=other), request_of(fixture, 2))) == [Booking, Booking]

    def test_a_repeated_request_gets_the_first_response(self, store_harness: StoreHarness) -> None:
        fixture = StoreFixture.of(store_harness)
        single = reserve_once(
            fixture.command(1),
            once=IdempotentCall(key=evolve(KEY, key="single"), render=lambda booking: str(booking.booking_id)),
            store=fixture.store,
        )
        assert isinstance(single, Booking)
        made, _ = grouped(fixture, with_key(fixture, 0), request_of(fixture, 5, user="alan"))
        repeated = [
            with_key(fixture, 0),
            with_key(fixture, 1, key=evolve(KEY, key="single")),
            with_key(fixture, 2, key=evolve(KEY, user_id="grace")),
        ]

        first, second, third = grouped(fixture, *repeated)

        assert first == ReplayedResponse(text=str(made.booking_id))
        assert second == ReplayedResponse(text=str(single.booking_id))
        assert isinstance(third, Booking)
        assert fixture.store.reads.bookings_of("ada", None, Page()).total == 2

    def test_a_repeated_request_for_seats_that_are_free_again_is_replayed(self, store_harness: StoreHarness) -> None:
        fixture = StoreFixture.of(store_harness)
        made, _ = grouped(fixture, with_key(fixture, 0), request_of(fixture, 1, user="grace"))
        fixture.cancel(made)

        repeated, taken = grouped(fixture, with_key(fixture, 0), request_of(fixture, 0, user="grace"))

        assert repeated == ReplayedResponse(text=str(made.booking_id))
        assert isinstance(taken, Booking)

    def test_another_request_under_the_same_key_is_refused(self, store_harness: StoreHarness) -> None:
        fixture = StoreFixture.of(store_harness)
        grouped(fixture, with_key(fixture, 0), request_of(fixture, 1))
        reused = evolve(KEY, fingerprint="content-2")

        outcomes = grouped(fixture, with_key(fixture, 2, key=reused), request_of(fixture, 3))

        assert kinds(outcomes) == [IdempotencyKeyReused, Booking]

    def test_a_key_that_received_a_response_meanwhile_fails_the_group(self, store_harness: StoreHarness) -> None:
        fixture = StoreFixture.of(store_harness)
        made, _ = grouped(fixture, with_key(fixture, 0), request_of(fixture, 1))

        def overwrite() -> None:
            with fixture.store.unit_of_work() as uow:
                new = [(fixture.new_booking(2), None), (fixture.new_booking(3), KEY)]
                uow.bookings.add_group([NewBooking(booking=each, key=key, response="late") for each, key in new])
                uow.commit()

        refused(TransactionConflict, overwrite)

        assert fixture.seat_status(2) is SeatStatus.AVAILABLE
        with fixture.store.unit_of_work() as uow:
            assert uow.responses.claim(KEY) == StoredResponse(text=str(made.booking_id))

    def test_the_same_key_twice_makes_one_booking(self, store_harness: StoreHarness) -> None:
        fixture = StoreFixture.of(store_harness)
        requests = [with_key(fixture, 0), with_key(fixture, 0), request_of(fixture, 1)]

        made, again, other = all_of(fixture, *requests)

        assert isinstance(made, Booking)
        assert isinstance(other, Booking)
        assert again == ReplayedResponse(text=str(made.booking_id))
        assert kinds(grouped(fixture, *requests[:2], with_key(fixture, 2, key=evolve(KEY, key="key-2")))) == [
            ReplayedResponse,
            Deferral.IDEMPOTENCY_KEY,
            Booking,
        ]

    def test_a_key_of_another_user_goes_alone(self, store_harness: StoreHarness) -> None:
        fixture = StoreFixture.of(store_harness)
        once = IdempotentCall(key=evolve(KEY, user_id="grace"), render=lambda booking: "kept")
        requests = [request_of(fixture, 0, once=once), request_of(fixture, 1), request_of(fixture, 2)]

        assert kinds(grouped(fixture, *requests)) == [Deferral.IDEMPOTENCY_KEY, Booking, Booking]

    def test_a_key_that_is_too_old_is_taken_over(self, store_harness: StoreHarness) -> None:
        fixture = StoreFixture.of(store_harness)
        grouped(fixture, with_key(fixture, 0), request_of(fixture, 1))
        store_harness.advance(_DAY_SECONDS + 3600)
        changed = evolve(KEY, fingerprint="content-2")

        made, _ = grouped(fixture, with_key(fixture, 2, key=changed), request_of(fixture, 3))

        assert isinstance(made, Booking)
        with fixture.store.unit_of_work() as uow:
            assert uow.responses.claim(changed) == StoredResponse(text=str(made.booking_id))

    def test_a_response_that_cannot_be_kept_fails_its_own_request_only(self, store_harness: StoreHarness) -> None:
        fixture = StoreFixture.of(store_harness)

        def fail(booking: Booking) -> str:
            raise LookupError(booking.booking_id)

        requests = [
            request_of(fixture, 0, once=IdempotentCall(key=KEY, render=fail)),
            request_of(fixture, 0, user="grace"),
            request_of(fixture, 1, user="alan"),
        ]

        outcomes = all_of(fixture, *requests)

        # Deferred, it comes after the others, and the seat is gone.
        assert kinds(outcomes) == [SeatAlreadyReserved, Booking, Booking]
        assert kinds(grouped(fixture, evolve(requests[0], command=fixture.command(2)), request_of(fixture, 3))) == [
            Deferral.RESPONSE_FAILED,
            Booking,
        ]
        [error, _] = all_of(
            fixture, evolve(requests[0], command=fixture.command(2)), request_of(fixture, 4, user="alan")
        )
        assert isinstance(error, LookupError)
