"""The suites of reads: bookings and their lists by effective status, and bookings by ticket."""

from uuid import uuid4

from booking_core.application import TicketStatus, cancel_event, close_event, verify_ticket
from booking_core.contracts.harness import StoreHarness
from booking_core.contracts.store.fixture import CORRELATION, ROWS, StoreFixture, content_of
from booking_core.domain.booking import Booking
from booking_core.domain.commands import CancelEvent
from booking_core.domain.identity import new_ticket_reference, slot_of_event
from booking_core.domain.lifecycle import Status
from booking_core.domain.values import CancellationReason, in_reading_order
from booking_core.ports import Page, Store


def listed(store: Store, user: str, status: Status | None = None, page: Page | None = None) -> list[Booking]:
    """Read one page of a user's bookings."""
    return list(store.reads.bookings_of(user, status, page or Page(limit=100)).items)


class ReadsContract:
    """`Reads` over bookings and history."""

    def test_the_clock_has_a_zone_and_advances(self, store_harness: StoreHarness) -> None:
        reads = store_harness.store.reads
        first = reads.now()
        offset = first.utcoffset()

        assert offset is not None
        assert not offset
        assert reads.now() >= first

    def test_reads_of_unknown_ids_are_empty(self, store_harness: StoreHarness) -> None:
        store = StoreFixture.of(store_harness).store

        assert store.reads.booking(uuid4()) is None
        assert list(store.reads.history(uuid4())) == []
        assert store.reads.bookings_of("stranger", None, Page()).total == 0
        assert listed(store, "stranger") == []

    def test_bookings_are_listed_newest_first_in_pages(self, store_harness: StoreHarness) -> None:
        fixture = StoreFixture.of(store_harness, seats=9)
        made = [fixture.reserve(place) for place in range(3)]
        for booking in made:
            fixture.pay(booking)
        made += [fixture.reserve(place) for place in (3, 4)]
        fixture.reserve(5, user="grace")
        wanted = [
            each.booking_id for each in sorted(made, key=lambda each: (each.created_at, each.booking_id), reverse=True)
        ]

        pages = [fixture.store.reads.bookings_of("ada", None, Page(number=n, limit=2)) for n in (1, 2, 3, 4)]

        assert [each.booking_id for page in pages for each in page.items] == wanted
        assert [len(page.items) for page in pages] == [2, 2, 1, 0]
        assert {page.total for page in pages} == {5}

    def test_listed_bookings_are_complete(self, store_harness: StoreHarness) -> None:
        fixture = StoreFixture.of(store_harness)
        paid, held = fixture.reserve(0, 1), fixture.reserve(2)
        fixture.pay(paid)

        found = {each.booking_id: content_of(each) for each in listed(fixture.store, "ada")}

        assert found == {each.booking_id: content_of(fixture.stored(each)) for each in (paid, held)}

    def test_seats_are_listed_in_reading_order(self, store_harness: StoreHarness) -> None:
        fixture = StoreFixture.of(store_harness, seats=len(ROWS)).in_rows(*ROWS)
        wanted = in_reading_order(fixture.seats)

        made = fixture.reserve(*range(len(ROWS)))

        [listed] = fixture.store.reads.bookings_of(made.user_id, None, Page()).items
        assert made.seats == listed.seats == fixture.stored(made).seats == wanted
        assert tuple(each.seat for each in fixture.store.reads.seats(fixture.event.event_id).seats) == wanted

    def test_an_overdue_hold_is_shown_as_it_will_be_written(self, store_harness: StoreHarness) -> None:
        fixture = StoreFixture.of(store_harness)
        made = fixture.reserve(0, window=60)
        store_harness.advance(61)
        written = fixture.stored(made)

        snapshot = fixture.store.reads.booking(made.booking_id)

        assert snapshot is not None
        assert written.status is Status.PENDING, "a read changes nothing"
        assert content_of(snapshot.booking) == content_of(written.as_of(snapshot.now))
        assert snapshot.booking.cancellation_reason is CancellationReason.EXPIRED
        assert snapshot.booking.cancelled_at == written.deadline
        assert [content_of(each) for each in listed(fixture.store, "ada")] == [content_of(snapshot.booking)]

    def test_filter_and_total_use_the_effective_status(self, store_harness: StoreHarness) -> None:
        fixture = StoreFixture.of(store_harness, seats=9)
        overdue = fixture.reserve(0, window=1)
        paying = fixture.reserve(1, window=1)
        fixture.start_payment(paying)
        store_harness.advance(2)
        pending, sold, cancelled = (fixture.reserve(place) for place in (2, 3, 4))
        fixture.pay(sold)
        fixture.cancel(cancelled)

        found = {status: {each.booking_id for each in listed(fixture.store, "ada", status)} for status in Status}
        totals = {status: fixture.store.reads.bookings_of("ada", status, Page(limit=1)).total for status in Status}

        assert found == {
            Status.PENDING: {pending.booking_id},
            Status.PROCESSING: {paying.booking_id},
            Status.CONFIRMED: {sold.booking_id},
            Status.CANCELLED: {overdue.booking_id, cancelled.booking_id},
        }
        assert totals == {status: len(ids) for status, ids in found.items()}

    def test_a_processing_hold_ends_at_its_own_deadline(self, store_harness: StoreHarness) -> None:
        fixture = StoreFixture.of(store_harness)
        made = fixture.reserve(0, window=1)
        fixture.start_payment(made)
        store_harness.advance(290)
        before = fixture.store.reads.booking(made.booking_id)
        store_harness.advance(20)
        after = fixture.store.reads.booking(made.booking_id)

        assert before is not None
        assert after is not None
        assert (before.booking.status, after.booking.status) == (Status.PROCESSING, Status.CANCELLED)

    def test_the_history_is_in_order(self, store_harness: StoreHarness) -> None:
        fixture = StoreFixture.of(store_harness)
        made, other = fixture.reserve(0), fixture.reserve(1, user="grace")
        fixture.start_payment(made)
        fixture.pay(made)
        fixture.pay(other)
        fixture.cancel(made)

        entries = fixture.store.reads.history(made.booking_id)

        assert [entry.number for entry in entries] == [1, 2, 3, 4]
        assert [entry.to_status for entry in entries] == [
            Status.PENDING,
            Status.PROCESSING,
            Status.CONFIRMED,
            Status.CANCELLED,
        ]


def paid(fixture: StoreFixture, *places: int) -> tuple[Booking, str]:
    """Make a confirmed booking of these seats; return it and its ticket reference."""
    made = fixture.reserve(*places)
    fixture.pay(made)
    stored = fixture.stored(made)
    assert stored.ticket_reference is not None
    return stored, stored.ticket_reference


class TicketsContract:
    """`Reads.booking_with_ticket`."""

    def test_a_ticket_reference_finds_the_complete_booking(self, store_harness: StoreHarness) -> None:
        fixture = StoreFixture.of(store_harness)
        booking, reference = paid(fixture, 0, 2)
        paid(fixture, 1)

        found = fixture.store.reads.booking_with_ticket(reference)

        assert found is not None
        assert content_of(found.booking) == content_of(booking)
        assert found.booking is not booking
        assert found.now >= booking.created_at

    def test_an_unknown_ticket_reference_finds_no_booking(self, store_harness: StoreHarness) -> None:
        fixture = StoreFixture.of(store_harness)
        _, reference = paid(fixture, 0)
        fixture.reserve(1)
        others = [
            new_ticket_reference(slot_of_event(fixture.event.event_id)),
            reference.lower(),
            f" {reference}",
            reference[:-1],
            f"{reference}0",
            "",
            "None",
            "\0" * len(reference),
            "\ud800" + reference[1:],
            "é" * len(reference),
            "' OR ''='",
        ]

        assert [other for other in others if fixture.store.reads.booking_with_ticket(other) is not None] == []

    def test_a_cancelled_booking_is_found_by_its_ticket(self, store_harness: StoreHarness) -> None:
        fixture = StoreFixture.of(store_harness)
        booking, reference = paid(fixture, 0)
        fixture.cancel(booking)
        later, _ = paid(fixture, 0)

        found = fixture.store.reads.booking_with_ticket(reference)

        assert found is not None
        assert (found.booking.booking_id, found.booking.status) == (booking.booking_id, Status.CANCELLED)
        assert found.booking.booking_id != later.booking_id

    def test_a_ticket_is_invalid_once_its_event_is_closed(self, store_harness: StoreHarness) -> None:
        fixture = StoreFixture.of(store_harness)
        store = fixture.store
        booking, reference = paid(fixture, 0)
        before = verify_ticket(reference, store=store)
        command = CancelEvent(
            event_id=fixture.event.event_id, reason="flood", administrator="root", correlation_id=CORRELATION
        )

        close_event(command, store=store)
        closed, written = verify_ticket(reference, store=store), fixture.stored(booking)
        cancel_event(command, store=store)
        ended = verify_ticket(reference, store=store)

        assert (before.status, [seat.seat_id for seat in before.seats]) == (TicketStatus.VALID, [*fixture.ids(0)])
        assert written.status is Status.CONFIRMED, "its booking has not been ended yet"
        for check in (closed, ended):
            assert (check.status, check.reason) == (TicketStatus.CANCELLED, CancellationReason.EVENT_CANCELLED)
            assert check.cancelled_at is not None
            assert check.seats == ()
