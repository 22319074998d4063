"""Finding a booking by its ticket reference, and what the ticket is worth."""

from booking_core.application import TicketStatus, cancel_event, close_event, verify_ticket
from booking_core.contracts.harness import StoreHarness
from booking_core.contracts.store.fixture import CORRELATION, StoreFixture, content_of
from booking_core.domain.booking import Booking
from booking_core.domain.commands import CancelEvent
from booking_core.domain.identity import new_ticket_reference, slot_of_event
from booking_core.domain.lifecycle import Status
from booking_core.domain.values import CancellationReason


def paid(fixture: StoreFixture, *places: int) -> tuple[Booking, str]:
    """A confirmed booking of these seats, and its ticket reference."""
    made = fixture.reserve(*places)
    fixture.pay(made)
    stored = fixture.stored(made)
    assert stored.ticket_reference is not None
    return stored, stored.ticket_reference


class TicketsContract:
    """`Reads.booking_with_ticket`."""

    def test_the_booking_of_a_ticket_whole(self, store_harness: StoreHarness) -> None:
        fixture = StoreFixture.of(store_harness)
        booking, reference = paid(fixture, 0, 2)
        paid(fixture, 1)

        found = fixture.store.reads.booking_with_ticket(reference)

        assert found is not None
        assert content_of(found.booking) == content_of(booking)
        assert found.booking is not booking
        assert found.now >= booking.created_at

    def test_no_booking_has_a_ticket_that_was_never_given(self, store_harness: StoreHarness) -> None:
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

    def test_a_cancelled_booking_is_found_by_the_ticket_that_it_had(self, store_harness: StoreHarness) -> None:
        fixture = StoreFixture.of(store_harness)
        booking, reference = paid(fixture, 0)
        fixture.cancel(booking)
        later, _ = paid(fixture, 0)

        found = fixture.store.reads.booking_with_ticket(reference)

        assert found is not None
        assert (found.booking.booking_id, found.booking.status) == (booking.booking_id, Status.CANCELLED)
        assert found.booking.booking_id != later.booking_id

    def test_a_ticket_is_worth_nothing_from_the_moment_its_event_is_closed(self, store_harness: StoreHarness) -> None:
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
