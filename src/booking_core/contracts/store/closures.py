"""The suite of cancelled events (spec 6.4): close, wait for reservations in flight, end bookings, publish once."""

from datetime import timedelta
from decimal import Decimal
from uuid import UUID, uuid4

from attrs import evolve

from booking_core.contracts.harness import StoreHarness
from booking_core.contracts.store.fixture import CAUSE, CORRELATION, StoreFixture, content_of, lock_seats, refused
from booking_core.contracts.store.payments import paying, starting
from booking_core.contracts.store.reservations import facts_of
from booking_core.contracts.wire import payload_of
from booking_core.domain.errors import BookingNotCancellable, ServiceBusy
from booking_core.domain.events import EventCancelled
from booking_core.domain.identity import new_id, slot_of_event
from booking_core.domain.values import CancellationReason, RefundReason
from booking_core.ports import Closure, Store


def closing(fixture: StoreFixture, reason: str = "rain") -> Closure:
    """Make an administrator's closure; the store replaces its time."""
    return Closure(
        event_id=fixture.event.event_id,
        reason=reason,
        cancelled_at=fixture.store.reads.now() - timedelta(days=9),
        administrator="admin",
        correlation_id=CORRELATION,
        finished=False,
    )


def close(store: Store, closure: Closure) -> Closure | None:
    """Close the event in a unit of work of its own."""
    with store.unit_of_work() as uow:
        stands = uow.events.close(closure)
        uow.commit()
        return stands


def finish(fixture: StoreFixture, closure: Closure) -> bool:
    """Store `event.cancelled` in a unit of work of its own."""
    with fixture.store.unit_of_work() as uow:
        is_first = uow.events.finish(end_of(closure))
        uow.commit()
        return is_first


def end_of(closure: Closure) -> EventCancelled:
    """Make the event to store; the store replaces its number of bookings."""
    return EventCancelled(
        message_id=new_id(closure.cancelled_at),
        timestamp=closure.cancelled_at,
        correlation_id=closure.correlation_id,
        sequence=1,
        event_id=closure.event_id,
        reason=closure.reason,
        cancelled_at=closure.cancelled_at,
        affected_bookings=99,
    )


class ClosuresContract:
    """`EventRepository.close` and `finish`, `Store.await_reservations_in_flight`, `BookingRepository.lock_live`."""

    def test_a_locked_booking_shows_the_closure_of_its_event(self, store_harness: StoreHarness) -> None:
        fixture = StoreFixture.of(store_harness)
        made = fixture.reserve(0)

        before = self._is_closed(fixture, made.booking_id)
        close(fixture.store, closing(fixture))

        assert (before, self._is_closed(fixture, made.booking_id)) == (False, True)

    def test_a_customer_who_cancels_after_the_closure_is_refunded(self, store_harness: StoreHarness) -> None:
        """A closed event refunds every payment: the 24 hours of BR-04 do not matter."""
        fixture = StoreFixture.of(store_harness, days=0.5)
        paid, held = fixture.reserve(0), fixture.reserve(1)
        fixture.change(paid.booking_id, paying("pay-1"))
        close(fixture.store, closing(fixture))

        ended = [fixture.cancel(paid), fixture.cancel(held)]

        assert {each.cancellation_reason for each in ended} == {CancellationReason.EVENT_CANCELLED}
        assert ended[0].payments["pay-1"].refund_reason is RefundReason.EVENT_CANCELLED
        assert refused(BookingNotCancellable, lambda: fixture.cancel(paid)).code == "BOOKING_NOT_CANCELLABLE"
        assert fixture.store.reads.cancellation_preview(fixture.event.event_id).ended == 2

    def test_closing_uses_the_stores_clock(self, store_harness: StoreHarness) -> None:
        fixture = StoreFixture.of(store_harness)
        before, asked = fixture.store.reads.now(), closing(fixture)

        stands = close(fixture.store, asked)

        assert stands is not None
        assert before <= stands.cancelled_at <= fixture.store.reads.now()
        assert evolve(stands, cancelled_at=asked.cancelled_at) == asked
        known = fixture.store.reads.event(fixture.event.event_id)
        assert known is not None
        assert known.closed_at == stands.cancelled_at
        assert list(fixture.store.reads.open_closures()) == [stands]

    def test_closing_twice_keeps_the_first_closure(self, store_harness: StoreHarness) -> None:
        fixture = StoreFixture.of(store_harness)
        first = close(fixture.store, closing(fixture))

        assert close(fixture.store, evolve(closing(fixture, "storm"), administrator="another")) == first
        assert list(fixture.store.reads.open_closures()) == [first]

    def test_an_unknown_event_is_not_closed(self, store_harness: StoreHarness) -> None:
        fixture = StoreFixture.of(store_harness)
        unknown = evolve(closing(fixture), event_id=uuid4())

        assert close(fixture.store, unknown) is None
        assert list(fixture.store.reads.open_closures()) == []

    def test_a_closed_event_stays_closed(self, store_harness: StoreHarness) -> None:
        fixture = StoreFixture.of(store_harness)
        close(fixture.store, closing(fixture))
        with fixture.store.unit_of_work() as uow:
            uow.events.put(fixture.event, ages=True, complete=True)
            uow.commit()

        known = fixture.store.reads.event(fixture.event.event_id)
        assert known is not None
        assert known.closed
        assert facts_of(fixture.store, fixture.request(0)).closed

    def test_closing_does_not_wait_for_reservations_in_flight(self, store_harness: StoreHarness) -> None:
        fixture = StoreFixture.of(store_harness)
        with fixture.store.unit_of_work() as in_flight:
            assert not lock_seats(in_flight, fixture.request(2)).closed

            close(fixture.store, closing(fixture))
            refused(ServiceBusy, lambda: self._await_reservations(fixture))

        self._await_reservations(fixture)

    def test_a_reservation_of_the_last_of_many_seats_is_waited_for(self, store_harness: StoreHarness) -> None:
        """The event has more seats than any adapter should lock in one transaction."""
        fixture = StoreFixture.of(store_harness, seats=1201)
        with fixture.store.unit_of_work() as in_flight:
            lock_seats(in_flight, fixture.request(1200))
            refused(ServiceBusy, lambda: self._await_reservations(fixture))

        self._await_reservations(fixture)

    def test_reservations_of_another_event_are_not_waited_for(self, store_harness: StoreHarness) -> None:
        fixture, other = StoreFixture.of(store_harness, seats=7), StoreFixture.of(store_harness)
        with other.store.unit_of_work() as in_flight:
            lock_seats(in_flight, other.request(0))
            self._await_reservations(fixture)

    def test_waiting_for_reservations_keeps_no_lock(self, store_harness: StoreHarness) -> None:
        fixture = StoreFixture.of(store_harness)
        self._await_reservations(fixture)
        facts_of(fixture.store, fixture.request(0))

    def test_an_event_without_seats_has_no_reservation_to_wait_for(self, store_harness: StoreHarness) -> None:
        self._await_reservations(StoreFixture.of(store_harness, seats=0))

    def test_live_bookings_are_locked_in_order(self, store_harness: StoreHarness) -> None:
        fixture, other = StoreFixture.of(store_harness, seats=8), StoreFixture.of(store_harness)
        live = [fixture.reserve(place, user=f"user-{place}", window=1) for place in range(4)]
        fixture.change(live[1].booking_id, starting("pay-1"))
        fixture.change(live[2].booking_id, paying("pay-1"))
        fixture.cancel(fixture.reserve(5))
        other.reserve(0)
        store_harness.advance(2)

        with fixture.store.unit_of_work() as uow:
            found = uow.bookings.lock_live(fixture.event.event_id, 100)
        with fixture.store.unit_of_work() as uow:
            some = uow.bookings.lock_live(fixture.event.event_id, 3)

        wanted = sorted(booking.booking_id for booking in live)
        assert [each.booking.booking_id for each in found] == wanted
        assert [each.booking.booking_id for each in some] == wanted[:3]
        assert all(content_of(each.booking) == content_of(fixture.stored(each.booking)) for each in found)
        assert {each.event_starts_at for each in found} == {fixture.event.starts_at}

    def test_lock_live_without_a_live_booking_is_empty(self, store_harness: StoreHarness) -> None:
        fixture = StoreFixture.of(store_harness)
        with fixture.store.unit_of_work() as uow:
            assert list(uow.bookings.lock_live(fixture.event.event_id, 10)) == []
            assert list(uow.bookings.lock_live(uuid4(), 10)) == []

    def test_lock_live_waits_for_locked_bookings(self, store_harness: StoreHarness) -> None:
        fixture = StoreFixture.of(store_harness)
        made = fixture.reserve(0)

        def lock_live() -> None:
            with fixture.store.unit_of_work() as uow:
                uow.bookings.lock_live(fixture.event.event_id, 10)

        with fixture.store.unit_of_work() as other:
            other.bookings.lock(made.booking_id)
            refused(ServiceBusy, lock_live)
        lock_live()

    def test_finishing_twice_stores_event_cancelled_once(self, store_harness: StoreHarness) -> None:
        fixture = StoreFixture.of(store_harness)
        closure = close(fixture.store, closing(fixture))
        assert closure is not None

        assert [finish(fixture, closure) for _ in range(2)] == [True, False]

        (record,) = store_harness.events()
        assert (record.event_type, record.key, record.sequence) == ("event.cancelled", closure.event_id, 1)
        assert record.slot == slot_of_event(closure.event_id)
        assert payload_of(record)["affectedBookings"] == 0
        assert list(fixture.store.reads.open_closures()) == []
        assert close(fixture.store, closing(fixture, "storm")) == evolve(closure, finished=True)

    def test_open_closures_are_listed_oldest_first(self, store_harness: StoreHarness) -> None:
        fixtures = [StoreFixture.of(store_harness, seats=1) for _ in range(3)]
        for fixture in fixtures:
            close(fixture.store, closing(fixture))
            store_harness.advance(1)

        found = [closure.event_id for closure in store_harness.store.reads.open_closures()]

        assert found == [fixture.event.event_id for fixture in fixtures]

    def test_affected_bookings_are_counted_with_those_of_this_unit_of_work(self, store_harness: StoreHarness) -> None:
        fixture, other = StoreFixture.of(store_harness), StoreFixture.of(store_harness)
        made = [fixture.reserve(0), fixture.reserve(1)]
        fixture.cancel(fixture.reserve(2))
        elsewhere = other.reserve(0, user="grace")
        for each in (made[0], elsewhere):
            fixture.change(each.booking_id, lambda locked: locked.booking.cancel_for_event(locked.now, CAUSE))

        assert fixture.store.reads.cancellation_preview(fixture.event.event_id).ended == 1

        closure = close(fixture.store, closing(fixture))
        assert closure is not None
        with fixture.store.unit_of_work() as uow:
            locked = uow.bookings.lock(made[1].booking_id)[made[1].booking_id]
            locked.booking.cancel_for_event(locked.now, CAUSE)
            uow.bookings.save(locked.booking)
            assert uow.events.finish(end_of(closure))
            uow.commit()

        [end] = [record for record in store_harness.events() if record.event_type == "event.cancelled"]
        assert payload_of(end)["affectedBookings"] == 2
        preview = fixture.store.reads.cancellation_preview(fixture.event.event_id)
        assert (preview.ended, preview.bookings) == (2, 0)

    def test_the_preview_shows_what_cancelling_would_do(self, store_harness: StoreHarness) -> None:
        fixture = StoreFixture.of(store_harness, seats=9)
        fixture.reserve(0, 1, user="late", window=1)
        store_harness.advance(2)
        fixture.reserve(2, 3)
        fixture.pay(fixture.reserve(4, 5))
        fixture.pay(fixture.reserve(6))
        mismatched = fixture.reserve(7)
        fixture.change(mismatched.booking_id, paying("pay-1", "1.00"))
        fixture.cancel(fixture.reserve(8, user="grace"))

        preview = fixture.store.reads.cancellation_preview(fixture.event.event_id)

        assert (preview.bookings, preview.seats) == (4, 6)
        assert dict(preview.refunds) == {"USD": (Decimal("225.00"), 2)}
        unknown = fixture.store.reads.cancellation_preview(uuid4())
        assert (unknown.ended, unknown.bookings, unknown.seats) == (0, 0, 0)

    def _is_closed(self, fixture: StoreFixture, booking_id: UUID) -> bool:
        with fixture.store.unit_of_work() as uow:
            locked = uow.bookings.lock(booking_id)[booking_id]
        return locked.event_is_closed

    def _await_reservations(self, fixture: StoreFixture) -> None:
        fixture.store.await_reservations_in_flight(fixture.event.event_id)
