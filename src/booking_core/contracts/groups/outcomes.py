"""Groups of reservations: the outcomes, their order, and what is stored of them."""

from datetime import timedelta
from typing import Final
from uuid import UUID, uuid4

from attrs import evolve

from booking_core.application import (
    ReservationRequest,
    close_event,
)
from booking_core.contracts.groups.requests import KEY, all_of, grouped, kinds, request_of
from booking_core.contracts.harness import StoreHarness
from booking_core.contracts.store.fixture import CORRELATION, WINDOW_SECONDS, StoreFixture, content_of, refused
from booking_core.contracts.wire import payload_of
from booking_core.domain.booking import Booking
from booking_core.domain.commands import CancelEvent
from booking_core.domain.errors import (
    EventNotFound,
    EventNotOnSale,
    PendingLimitReached,
    SeatAlreadyReserved,
    SeatNotFound,
    TooManySeats,
)
from booking_core.domain.group import Deferral, MemberFacts
from booking_core.domain.identity import slot_of_event
from booking_core.domain.lifecycle import Status
from booking_core.domain.values import SeatStatus, Terms
from booking_core.ports import NewBooking, Page

TRACES: Final = (f"00-{'a' * 32}-{'b' * 16}-01", f"00-{'c' * 32}-{'d' * 16}-01")


class GroupsContract:
    """`BookingRepository.lock_group` and `add_group`, through the use cases."""

    def test_a_group_is_stored_as_single_reservations_are(self, store_harness: StoreHarness) -> None:
        fixture = StoreFixture.of(store_harness)
        single = fixture.reserve(4, 5, user="grace")

        first, second = grouped(fixture, request_of(fixture, 0, 1), request_of(fixture, 2, user="alan"))

        assert (first.seat_ids, second.seat_ids) == (fixture.ids(0, 1), fixture.ids(2))
        for booking in (first, second):
            assert content_of(fixture.stored(booking)) == content_of(booking)
            assert booking.expires_at - booking.created_at == timedelta(seconds=WINDOW_SECONDS)
        history = {each.booking_id: fixture.store.reads.history(each.booking_id) for each in (single, first, second)}
        for booking in (first, second):
            [entry], [of_single] = history[booking.booking_id], history[single.booking_id]
            assert evolve(entry, at=of_single.at, actor_id=of_single.actor_id) == of_single
            assert (entry.at, entry.actor_id) == (booking.created_at, booking.user_id)
        events = {each.key: each for each in store_harness.events()}
        assert events.keys() == history.keys()
        assert payload_of(events[first.booking_id]).keys() == payload_of(events[single.booking_id]).keys()
        for booking in (first, second):
            record, [event] = events[booking.booking_id], booking.new_events
            assert record.message_id == event.message_id
            assert record.recorded_at == booking.created_at
            assert (record.sequence, record.correlation_id) == (1, CORRELATION)
            assert (record.event_type, record.slot) == ("booking.created", slot_of_event(booking.event_id))
        free = [place for place in range(6) if fixture.seat_status(place) is SeatStatus.AVAILABLE]
        assert free == [3]

    def test_bookings_of_a_group_live_on_like_any_other(self, store_harness: StoreHarness) -> None:
        fixture = StoreFixture.of(store_harness)
        paid, cancelled, expired = grouped(fixture, *(request_of(fixture, place) for place in range(3)))

        assert fixture.pay(paid)
        fixture.cancel(cancelled)
        store_harness.advance(WINDOW_SECONDS + 1)

        assert fixture.stored(paid).status is Status.CONFIRMED
        assert fixture.reserve(1, 2, user="grace").status is Status.PENDING
        assert fixture.stored(expired).status is Status.CANCELLED

    def test_an_empty_group_and_a_group_of_one(self, store_harness: StoreHarness) -> None:
        fixture = StoreFixture.of(store_harness)

        assert all_of(fixture) == []
        [made] = all_of(fixture, request_of(fixture, 0))

        assert content_of(fixture.stored(made)) == content_of(made)
        with fixture.store.unit_of_work() as uow:
            assert list(uow.bookings.lock_group([])) == []

    def test_the_first_to_arrive_gets_the_seat(self, store_harness: StoreHarness) -> None:
        fixture = StoreFixture.of(store_harness)
        requests = [
            request_of(fixture, 0, 1),
            request_of(fixture, 1, 2, user="grace"),
            request_of(fixture, 2, user="alan"),
            request_of(fixture, 0, 1, 2, user="edsger"),
        ]

        first, second, third, fourth = grouped(fixture, *requests)

        assert isinstance(first, Booking)
        assert isinstance(third, Booking)
        assert _unavailable(second) == fixture.ids(1)
        assert _unavailable(fourth) == fixture.ids(0, 1, 2)

    def test_the_fourth_hold_of_a_user_is_refused(self, store_harness: StoreHarness) -> None:
        fixture = StoreFixture.of(store_harness)
        fixture.reserve(5)

        outcomes = grouped(fixture, *(request_of(fixture, place) for place in range(4)))

        assert kinds(outcomes) == [Booking, Booking, PendingLimitReached, PendingLimitReached]
        assert fixture.store.reads.bookings_of("ada", Status.PENDING, Page()).total == 3

    def test_several_events(self, store_harness: StoreHarness) -> None:
        fixture, other = StoreFixture.of(store_harness), StoreFixture.of(store_harness, currency="JPY", price="500")
        started = StoreFixture.of(store_harness, days=-1)
        requests = [
            request_of(fixture, 0),
            request_of(other, 0),
            request_of(started, 0, user="grace"),
            request_of(other, 0, 1, user="grace"),
            request_of(fixture, 1, user="grace"),
        ]

        outcomes = grouped(fixture, *requests)

        assert kinds(outcomes) == [Booking, Booking, EventNotOnSale, SeatAlreadyReserved, Booking]
        events = [outcomes[place].event_id for place in (0, 1, 4)]
        assert events == [each.event.event_id for each in (fixture, other, fixture)]
        assert [outcomes[place].total.currency for place in (0, 1)] == ["USD", "JPY"]
        assert content_of(fixture.stored(outcomes[1])) == content_of(outcomes[1])

    def test_refusals_rest_on_what_is_committed(self, store_harness: StoreHarness) -> None:
        fixture = StoreFixture.of(store_harness, seats=12)
        fixture.pay(fixture.reserve(0, 1, user="grace"))
        for place in (2, 3, 4):
            fixture.reserve(place, user="alan")

        outcomes = grouped(
            fixture,
            request_of(fixture, 0, 1, 5),
            request_of(fixture, 0, 1, 2, 5),
            request_of(fixture, 6, user="alan"),
            request_of(fixture, 0, user="alan"),
            request_of(fixture, *range(11)),
            request_of(fixture, 5),
        )

        assert _unavailable(outcomes[0]) == fixture.ids(0, 1)
        assert _unavailable(outcomes[1]) == fixture.ids(0, 1, 2)
        assert kinds(outcomes)[2:] == [PendingLimitReached, PendingLimitReached, TooManySeats, Booking]

    def test_a_closed_event_is_not_sold(self, store_harness: StoreHarness) -> None:
        fixture = StoreFixture.of(store_harness)
        command = CancelEvent(
            event_id=fixture.event.event_id, reason="rain", administrator="admin", correlation_id=CORRELATION
        )
        close_event(command, store=fixture.store)

        outcomes = grouped(fixture, request_of(fixture, 0), request_of(fixture, 1))

        assert kinds(outcomes) == [EventNotOnSale, EventNotOnSale]

    def test_what_the_store_does_not_know_is_deferred_and_then_not_found(self, store_harness: StoreHarness) -> None:
        fixture = StoreFixture.of(store_harness)
        elsewhere = evolve(fixture.command(0), event_id=uuid4())
        stranger = evolve(fixture.command(0), seat_ids=(fixture.seats[0].seat_id, uuid4()))
        fixture.reserve(5, user="grace")
        beside_taken = evolve(fixture.command(5), seat_ids=(fixture.seats[5].seat_id, uuid4()))
        requests = [
            ReservationRequest(command=elsewhere),
            ReservationRequest(command=stranger),
            ReservationRequest(command=beside_taken),
            request_of(fixture, 0),
        ]

        assert kinds(grouped(fixture, *requests[:3])) == [
            Deferral.EVENT_UNKNOWN,
            Deferral.SEAT_LOCKED_OR_UNKNOWN,
            Deferral.SEAT_LOCKED_OR_UNKNOWN,
        ]
        assert kinds(all_of(fixture, *requests)) == [EventNotFound, SeatNotFound, SeatNotFound, Booking]

    def test_a_withdrawn_seat_is_not_sold(self, store_harness: StoreHarness) -> None:
        fixture = StoreFixture.of(store_harness)
        with fixture.store.unit_of_work() as uow:
            uow.events.withdraw_seats(fixture.event.event_id, fixture.ids(1, 2, 3, 4, 5))
            uow.commit()

        outcomes = all_of(fixture, request_of(fixture, 0), request_of(fixture, 1))

        assert kinds(outcomes) == [SeatNotFound, Booking]

    def test_each_booking_belongs_to_its_own_trace(self, store_harness: StoreHarness) -> None:
        fixture = StoreFixture.of(store_harness)

        made = grouped(
            fixture,
            request_of(fixture, 0, traceparent=TRACES[0]),
            request_of(fixture, 1, traceparent=TRACES[1]),
            request_of(fixture, 2),
        )

        traces = {each.key: each.traceparent for each in store_harness.events()}
        assert [traces[booking.booking_id] for booking in made] == [*TRACES, None]

    def test_a_claim_against_the_facts_fails_the_whole_group(self, store_harness: StoreHarness) -> None:
        fixture = StoreFixture.of(store_harness)
        fixture.reserve(1, user="grace")
        before = len(store_harness.events())

        def add() -> None:
            with fixture.store.unit_of_work() as uow:
                uow.bookings.add_group(
                    [
                        NewBooking(booking=fixture.new_booking(0), key=KEY, response="never given"),
                        NewBooking(booking=fixture.new_booking(1)),
                    ]
                )
                uow.commit()

        refused(SeatAlreadyReserved, add)

        assert fixture.seat_status(0) is SeatStatus.AVAILABLE
        assert len(store_harness.events()) == before
        assert list(fixture.store.reads.stored_responses([KEY])) == [False]

    def test_leaving_without_commit_leaves_nothing(self, store_harness: StoreHarness) -> None:
        fixture = StoreFixture.of(store_harness)
        with fixture.store.unit_of_work() as uow:
            facts = uow.bookings.lock_group([fixture.request(0), fixture.request(1, user="grace")])
            assert all(isinstance(each, MemberFacts) and each.user_is_locked for each in facts)
            uow.bookings.add_group([NewBooking(booking=fixture.new_booking(0), key=KEY, response="never given")])

        assert fixture.seat_status(0) is SeatStatus.AVAILABLE
        assert list(store_harness.events()) == []
        assert list(fixture.store.reads.stored_responses([KEY])) == [False]

    def test_deferred_requests_come_after_the_group(self, store_harness: StoreHarness) -> None:
        fixture = StoreFixture.of(store_harness)
        fixture.reserve(0, user="late", window=1)
        store_harness.advance(2)

        settled, first = all_of(fixture, request_of(fixture, 0, 1), request_of(fixture, 1, user="grace"))

        assert isinstance(first, Booking)
        assert _unavailable(settled) == fixture.ids(1)

    def test_an_overdue_hold_is_deferred_and_then_settled(self, store_harness: StoreHarness) -> None:
        fixture = StoreFixture.of(store_harness)
        late = fixture.reserve(0, user="late", window=1)
        store_harness.advance(2)
        requests = [request_of(fixture, 0), request_of(fixture, 1)]

        assert kinds(grouped(fixture, *requests)) == [Deferral.OVERDUE_HOLD, Booking]
        made, _ = all_of(fixture, request_of(fixture, 0, 2), request_of(fixture, 3))

        assert isinstance(made, Booking)
        assert fixture.stored(late).status is Status.CANCELLED

    def test_the_terms_hold_for_every_member(self, store_harness: StoreHarness) -> None:
        fixture = StoreFixture.of(store_harness)
        terms = Terms(payment_window=timedelta(seconds=30))

        made = fixture.reserve_group([request_of(fixture, 0), request_of(fixture, 1)], terms=terms)

        for booking in made:
            assert isinstance(booking, Booking)
            assert fixture.stored(booking).expires_at - booking.created_at == timedelta(seconds=30)


def _unavailable(error: object) -> tuple[UUID, ...]:
    """The seats that a refusal names, sorted."""
    assert isinstance(error, SeatAlreadyReserved), error
    return tuple(sorted(UUID(text) for text in error.details["unavailableSeatIds"]))
