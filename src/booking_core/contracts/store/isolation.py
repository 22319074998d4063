"""The suites of a unit of work: atomic, invisible until it commits, and never over a concurrent change."""

from uuid import uuid4

from booking_core.contracts.harness import StoreHarness
from booking_core.contracts.store.fixture import CAUSE, CORRELATION, StoreFixture, content_of, refused
from booking_core.contracts.store.inbox import message
from booking_core.contracts.store.payments import failing, paying, starting
from booking_core.contracts.store.reservations import facts_of
from booking_core.domain.errors import SeatAlreadyReserved, ServiceBusy, TransactionConflict
from booking_core.domain.reservation import IdempotencyKey
from booking_core.domain.values import SeatStatus
from booking_core.ports import Closure, Page, Receipt, UnitOfWork

KEY = IdempotencyKey(user_id="ada", operation="POST /bookings", key="k", fingerprint="f")


class Interruption(Exception):
    """An error that interrupts a unit of work."""


class IsolationContract:
    """`UnitOfWork`: commit, rollback, and what others see meanwhile."""

    def test_writes_are_invisible_before_the_commit(self, store_harness: StoreHarness) -> None:
        fixture = StoreFixture.of(store_harness)
        booking = fixture.new_booking(0)
        with fixture.store.unit_of_work() as uow:
            uow.bookings.add(booking)

            assert fixture.store.reads.booking(booking.booking_id) is None
            assert fixture.seat_status(0) is SeatStatus.AVAILABLE
            assert list(fixture.store.outbox.unpublished(10)) == []
            uow.commit()

        assert fixture.store.reads.booking(booking.booking_id) is not None
        assert len(fixture.store.outbox.unpublished(10)) == 1

    def test_ending_without_commit_stores_nothing(self, store_harness: StoreHarness) -> None:
        fixture = StoreFixture.of(store_harness)
        held = fixture.reserve(5, user="grace")
        with fixture.store.unit_of_work() as uow:
            self._do_everything(fixture, uow)

        self._nothing_has_happened(store_harness, fixture)
        assert content_of(fixture.stored(held)) == content_of(held)

    def test_an_error_before_the_commit_stores_nothing(self, store_harness: StoreHarness) -> None:
        fixture = StoreFixture.of(store_harness)
        fixture.reserve(5, user="grace")

        def interrupted() -> None:
            with fixture.store.unit_of_work() as uow:
                self._do_everything(fixture, uow)
                raise Interruption

        refused(Interruption, interrupted)

        self._nothing_has_happened(store_harness, fixture)

    def test_a_refused_commit_stores_nothing(self, store_harness: StoreHarness) -> None:
        fixture = StoreFixture.of(store_harness)
        fixture.reserve(5, user="grace")

        def refuse() -> None:
            with fixture.store.unit_of_work() as uow:
                self._do_everything(fixture, uow)
                uow.bookings.add(fixture.new_booking(5))
                uow.commit()

        refused(SeatAlreadyReserved, refuse)

        self._nothing_has_happened(store_harness, fixture)

    def test_an_empty_unit_of_work_stores_nothing(self, store_harness: StoreHarness) -> None:
        with store_harness.store.unit_of_work() as uow:
            uow.commit()
        with store_harness.store.unit_of_work():
            pass

        assert list(store_harness.events()) == []

    def test_a_lock_is_waited_for_within_bounds(self, store_harness: StoreHarness) -> None:
        fixture = StoreFixture.of(store_harness)
        made = fixture.reserve(0)

        def second() -> None:
            with fixture.store.unit_of_work() as uow:
                uow.bookings.lock(made.booking_id)

        with fixture.store.unit_of_work() as first:
            first.bookings.lock(made.booking_id)
            # The same thread: only a bounded wait can end this.
            refused(ServiceBusy, second)
        second()

    def test_seats_and_user_stay_locked_until_the_end(self, store_harness: StoreHarness) -> None:
        fixture = StoreFixture.of(store_harness)
        with fixture.store.unit_of_work() as first:
            first.bookings.lock_seats(fixture.request(0))

            refused(ServiceBusy, lambda: facts_of(fixture.store, fixture.request(0, 1, user="grace")))
            refused(ServiceBusy, lambda: facts_of(fixture.store, fixture.request(2)))
            facts_of(fixture.store, fixture.request(2, user="grace"))

        facts_of(fixture.store, fixture.request(0))

    def test_a_commit_releases_the_locks(self, store_harness: StoreHarness) -> None:
        fixture = StoreFixture.of(store_harness)
        with fixture.store.unit_of_work() as first:
            first.bookings.lock_seats(fixture.request(0))
            first.commit()

            facts_of(fixture.store, fixture.request(0))

    def _do_everything(self, fixture: StoreFixture, uow: UnitOfWork) -> None:
        other = fixture.new_booking(0).event_id
        held = fixture.store.reads.bookings_of("grace", None, Page()).items[0]
        locked = uow.bookings.lock(held.booking_id)[held.booking_id]
        assert list(uow.inbox.mark_processed([message(held, message_id=held.event_id)])) == [Receipt.NEW]
        paying("pay-1")(locked)
        uow.bookings.save(locked.booking)
        uow.bookings.add(fixture.new_booking(0, 1))
        uow.responses.claim(KEY)
        uow.responses.keep(KEY, "the response")
        uow.events.put_seats(other, [])
        uow.events.withdraw_seats(other, fixture.ids(0, 1, 2, 3, 5))
        assert uow.events.close(self._closure(fixture)) is not None

    def _closure(self, fixture: StoreFixture) -> Closure:
        return Closure(
            event_id=fixture.event.event_id,
            reason="rain",
            cancelled_at=fixture.store.reads.now(),
            administrator="admin",
            correlation_id=CORRELATION,
            finished=False,
        )

    def _nothing_has_happened(self, harness: StoreHarness, fixture: StoreFixture) -> None:
        store, event_id = fixture.store, fixture.event.event_id
        (held,) = store.reads.bookings_of("grace", None, Page()).items
        assert (held.revision, held.payments) == (1, {})
        assert len(store.reads.history(held.booking_id)) == 1
        assert store.reads.bookings_of("ada", None, Page()).total == 0
        assert [record.event_type for record in harness.events()] == ["booking.created"]
        assert list(store.reads.open_closures()) == []
        facts = facts_of(store, fixture.request(0, 1, 4))
        assert (len(facts.seats), facts.taken, facts.pending, facts.closed) == (3, frozenset(), 0, False)
        with store.unit_of_work() as uow:
            assert list(uow.inbox.mark_processed([message(held, message_id=event_id)])) == [Receipt.NEW]
            assert uow.responses.claim(KEY) is None


class StaleRevisionContract:
    """`BookingRepository.save`: compare-and-set on the revision that was loaded."""

    def test_a_stale_booking_is_not_written(self, store_harness: StoreHarness) -> None:
        fixture = StoreFixture.of(store_harness)
        stale = fixture.stored(fixture.reserve(0))
        winner = fixture.change(stale.booking_id, starting("pay-1"))
        stale.cancel(fixture.store.reads.now(), fixture.event.starts_at, CAUSE)
        before = len(store_harness.events())

        def save() -> None:
            with fixture.store.unit_of_work() as uow:
                uow.bookings.save(stale)
                uow.inbox.mark_processed([message(stale, message_id=fixture.event.event_id)])
                uow.commit()

        refused(TransactionConflict, save)

        assert content_of(fixture.stored(winner)) == content_of(winner)
        assert len(store_harness.events()) == before
        assert len(fixture.store.reads.history(winner.booking_id)) == 2
        assert fixture.seat_status(0) is SeatStatus.HELD
        with fixture.store.unit_of_work() as uow:
            receipts = uow.inbox.mark_processed([message(stale, message_id=fixture.event.event_id)])
            assert list(receipts) == [Receipt.NEW]

    def test_one_stale_booking_among_many_prevents_the_commit(self, store_harness: StoreHarness) -> None:
        fixture = StoreFixture.of(store_harness)
        stale, fresh = fixture.stored(fixture.reserve(0)), fixture.stored(fixture.reserve(1))
        fixture.change(stale.booking_id, starting("pay-1"))
        now = fixture.store.reads.now()

        def save_both() -> None:
            with fixture.store.unit_of_work() as uow:
                for booking in (fresh, stale):
                    booking.fail_payment("pay-1", "no", now, CAUSE)
                    uow.bookings.save(booking)
                uow.commit()

        refused(TransactionConflict, save_both)

        assert fixture.stored(fresh).revision == 1

    def test_a_booking_that_was_never_stored_is_not_saved(self, store_harness: StoreHarness) -> None:
        fixture = StoreFixture.of(store_harness)
        ghost = fixture.stored(fixture.reserve(0))
        ghost.booking_id = uuid4()
        ghost.fail_payment("pay-1", "no", fixture.store.reads.now(), CAUSE)

        def save() -> None:
            with fixture.store.unit_of_work() as uow:
                uow.bookings.save(ghost)
                uow.commit()

        refused(TransactionConflict, save)

        assert fixture.store.reads.booking(ghost.booking_id) is None

    def test_the_next_change_builds_on_the_last(self, store_harness: StoreHarness) -> None:
        fixture = StoreFixture.of(store_harness)
        made = fixture.reserve(0)
        for verb in (starting("pay-1"), failing("pay-1"), paying("pay-1")):
            fixture.change(made.booking_id, verb)

        assert fixture.stored(made).revision == 4
