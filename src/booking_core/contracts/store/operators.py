"""The suite of look-ups for operators: every way to find a booking, its combinations, pages, and reading all."""

from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID, uuid4

from attrs import evolve

from booking_core.application import cancel, cancel_by_operator, expire, release_hold
from booking_core.contracts.harness import StoreHarness
from booking_core.contracts.store.fixture import StoreFixture, content_of
from booking_core.domain.booking import Booking
from booking_core.domain.commands import CancelBooking, CancelByOperator, ReleaseHold
from booking_core.domain.identity import new_ticket_reference
from booking_core.domain.lifecycle import Status
from booking_core.domain.values import RefundChoice
from booking_core.ports import BookingSelection, Page, SeatPlace, Store


def found(store: Store, limit: int = 100, **selection: object) -> list[UUID]:
    """Find bookings by a selection of these fields; return the ids of the first page."""
    wanted = BookingSelection(**selection)  # type: ignore[arg-type]
    paged = store.operators.find(wanted, Page(limit=limit))
    assert paged.total >= len(paged.items)
    return [booking.booking_id for booking in paged.items]


def all_following(store: Store, selection: BookingSelection, limit: int) -> list[Booking]:
    """Read all bookings that match, `limit` at a time."""
    read: list[Booking] = []
    while part := store.operators.following(selection, read[-1] if read else None, limit):
        assert len(part) <= limit
        read += part
    return read


def ids_of(bookings: Sequence[Booking]) -> list[UUID]:
    """The ids in the order of the bookings."""
    return [booking.booking_id for booking in bookings]


class OperatorReadsContract:
    """`OperatorReads`."""

    def test_bookings_are_found_by_user_and_event(self, store_harness: StoreHarness) -> None:
        fixture, other = StoreFixture.of(store_harness), StoreFixture.of(store_harness)
        first, second = fixture.reserve(0), fixture.reserve(1, user="grace")
        elsewhere = other.reserve(0)

        assert set(found(fixture.store, user_id="ada")) == {first.booking_id, elsewhere.booking_id}
        assert set(found(fixture.store, event_id=fixture.event.event_id)) == {first.booking_id, second.booking_id}
        both = found(fixture.store, user_id="ada", event_id=fixture.event.event_id)
        assert both == [first.booking_id]
        assert found(fixture.store, user_id="nobody") == found(fixture.store, event_id=uuid4()) == []
        assert len(found(fixture.store)) == 3

    def test_found_bookings_are_complete_and_of_this_moment(self, store_harness: StoreHarness) -> None:
        fixture = StoreFixture.of(store_harness)
        overdue, paid = fixture.reserve(0, 1, window=1), fixture.reserve(2)
        fixture.pay(paid)
        store_harness.advance(2)

        items = fixture.store.operators.find(BookingSelection(user_id="ada"), Page()).items

        snapshots = [fixture.store.reads.booking(booking.booking_id) for booking in (paid, overdue)]
        assert [content_of(each) for each in items] == [content_of(each.booking) for each in snapshots if each]
        assert items[1].status is Status.CANCELLED

    def test_a_place_finds_who_has_it_and_who_had_it(self, store_harness: StoreHarness) -> None:
        fixture = StoreFixture.of(store_harness)
        event_id = fixture.event.event_id
        had = fixture.reserve(0, 1, user="grace")
        fixture.cancel(had)
        has = fixture.reserve(1, 2)
        seat = fixture.seats[1]

        at_place = SeatPlace(event_id=event_id, row=seat.row, number=seat.number)
        assert found(fixture.store, seat=at_place) == [has.booking_id, had.booking_id]
        assert found(fixture.store, seat=at_place, user_id="grace") == [had.booking_id]
        for unknown in (evolve(at_place, row="a"), evolve(at_place, number=99), evolve(at_place, number=2**31)):
            assert found(fixture.store, seat=unknown) == []
        assert found(fixture.store, seat=evolve(at_place, event_id=uuid4())) == []

    def test_a_payment_finds_its_bookings(self, store_harness: StoreHarness) -> None:
        fixture = StoreFixture.of(store_harness)
        first, second, third = fixture.reserve(0), fixture.reserve(1), fixture.reserve(2)
        fixture.pay(first, "pay-1")
        fixture.start_payment(second, "pay-1")
        fixture.pay(third, "pay-2")

        assert set(found(fixture.store, payment_id="pay-1")) == {first.booking_id, second.booking_id}
        assert found(fixture.store, payment_id="pay") == []

    def test_a_ticket_finds_its_booking(self, store_harness: StoreHarness) -> None:
        fixture = StoreFixture.of(store_harness)
        made = fixture.reserve(0)
        fixture.pay(made)
        reference = fixture.stored(made).ticket_reference

        assert found(fixture.store, ticket_reference=reference) == [made.booking_id]
        for unknown in (new_ticket_reference(7), "no reference", ""):
            assert found(fixture.store, ticket_reference=unknown) == []

    def test_any_change_finds_its_booking_by_correlation(self, store_harness: StoreHarness) -> None:
        fixture = StoreFixture.of(store_harness)
        made, _ = fixture.reserve(0), fixture.reserve(1, user="grace")
        command = CancelBooking(user_id="ada", booking_id=made.booking_id, correlation_id="the cancellation")
        cancel(command, store=fixture.store)

        assert found(fixture.store, correlation_id="the cancellation") == [made.booking_id]
        assert len(found(fixture.store, correlation_id=fixture.command(0).correlation_id)) == 2
        assert found(fixture.store, correlation_id="unknown") == []

    def test_status_is_effective_before_and_after_expiry(self, store_harness: StoreHarness) -> None:
        fixture = StoreFixture.of(store_harness)
        overdue = fixture.reserve(0, window=1)
        store_harness.advance(2)
        pending, processing, confirmed = (fixture.reserve(place, user="grace") for place in (1, 2, 3))
        fixture.start_payment(processing)
        fixture.pay(confirmed)
        expected = {
            Status.PENDING: [pending.booking_id],
            Status.PROCESSING: [processing.booking_id],
            Status.CONFIRMED: [confirmed.booking_id],
            Status.CANCELLED: [overdue.booking_id],
        }

        assert {status: found(fixture.store, status=status) for status in Status} == expected
        expire(store=fixture.store)
        assert {status: found(fixture.store, status=status) for status in Status} == expected

    def test_found_bookings_come_in_pages_newest_first(self, store_harness: StoreHarness) -> None:
        fixture = StoreFixture.of(store_harness)
        made = [fixture.reserve(place, user=f"user-{place}") for place in range(5)]
        selection = BookingSelection(event_id=fixture.event.event_id)
        newest_first = sorted(made, key=lambda each: (each.created_at, each.booking_id), reverse=True)

        pages = [fixture.store.operators.find(selection, Page(number=number, limit=2)) for number in (1, 2, 3, 4)]

        assert [ids_of(page.items) for page in pages] == [
            ids_of(newest_first[:2]),
            ids_of(newest_first[2:4]),
            ids_of(newest_first[4:]),
            [],
        ]
        assert [page.total for page in pages] == [5] * 4

    def test_since_leaves_out_what_was_reserved_before(self, store_harness: StoreHarness) -> None:
        fixture = StoreFixture.of(store_harness)
        fixture.reserve(0)
        store_harness.advance(60)
        late = fixture.reserve(1)

        since = fixture.store.reads.now() - timedelta(seconds=30)
        assert found(fixture.store, since=since) == [late.booking_id]
        assert ids_of(all_following(fixture.store, BookingSelection(since=since), 10)) == [late.booking_id]

    def test_all_bookings_are_read_once_in_parts(self, store_harness: StoreHarness) -> None:
        fixtures = [StoreFixture.of(store_harness) for _ in range(3)]
        made = [fixture.reserve(place, user=f"user-{place}") for fixture in fixtures for place in range(4)]
        store = store_harness.store

        for limit in (1, 5, 12, 100):
            read = all_following(store, BookingSelection(), limit)
            assert sorted(ids_of(read)) == sorted(ids_of(made))
            mine = all_following(store, BookingSelection(event_id=fixtures[1].event.event_id), limit)
            assert ids_of(mine) == ids_of(sorted(made[4:8], key=lambda each: (each.created_at, each.booking_id)))
        assert {len(booking.seats) for booking in read} == {1}

    def test_what_an_operator_ends_is_stored(self, store_harness: StoreHarness) -> None:
        fixture = StoreFixture.of(store_harness)
        paid, held = fixture.reserve(0), fixture.reserve(1)
        fixture.pay(paid)
        by = {"administrator": "root", "correlation_id": "night"}

        command = CancelByOperator(booking_id=paid.booking_id, reason="fraud", refund=RefundChoice.FULL, **by)
        cancelled = cancel_by_operator(command, store=fixture.store)
        released = release_hold(ReleaseHold(booking_id=held.booking_id, reason="called", **by), store=fixture.store)

        for booking in (cancelled, released):
            assert content_of(fixture.stored(booking)) == content_of(booking)
            *_, entry = fixture.store.reads.history(booking.booking_id)
            assert entry == booking.new_history[-1]
            assert fixture.store.operators.find(BookingSelection(correlation_id="night"), Page()).total == 2
        types = [record.event_type for record in store_harness.events() if record.correlation_id == "night"]
        assert sorted(types) == ["booking.cancelled", "booking.cancelled", "booking.refund_requested"]
        fixture.reserve(0, 1, user="grace")
