"""Finding a booking by its ticket reference, and what the ticket is worth."""

from booking_core.application import TicketStatus, cancel_event, close_event, verify_ticket
from booking_core.contracts.harness import StoreHarness
from booking_core.contracts.store.fixture import CORRELATION, Scenery, facts
from booking_core.domain.booking import Booking
from booking_core.domain.commands import CancelEvent
from booking_core.domain.identity import new_ticket_reference, slot_of_event
from booking_core.domain.lifecycle import CancellationReason, Status


def paid(scenery: Scenery, *places: int) -> tuple[Booking, str]:
    """A confirmed booking of these seats, and its ticket reference."""
    made = scenery.reserve(*places)
    scenery.pay(made)
    stored = scenery.stored(made)
    assert stored.ticket_reference is not None
    return stored, stored.ticket_reference


class TicketsContract:
    """`Queries.booking_with_ticket`."""

    def test_the_booking_of_a_ticket_whole(self, store_harness: StoreHarness) -> None:
        scenery = Scenery.of(store_harness)
        booking, reference = paid(scenery, 0, 2)
        paid(scenery, 1)

        found = scenery.store.queries.booking_with_ticket(reference)

        assert found is not None
        assert facts(found.booking) == facts(booking)
        assert found.booking is not booking
        assert found.now >= booking.created_at

    def test_no_booking_has_a_ticket_that_was_never_given(self, store_harness: StoreHarness) -> None:
        scenery = Scenery.of(store_harness)
        _, reference = paid(scenery, 0)
        scenery.reserve(1)
        others = [
            new_ticket_reference(slot_of_event(scenery.event.event_id)),
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

        assert [other for other in others if scenery.store.queries.booking_with_ticket(other) is not None] == []

    def test_a_cancelled_booking_is_found_by_the_ticket_that_it_had(self, store_harness: StoreHarness) -> None:
        scenery = Scenery.of(store_harness)
        booking, reference = paid(scenery, 0)
        scenery.cancel(booking)
        later, _ = paid(scenery, 0)

        found = scenery.store.queries.booking_with_ticket(reference)

        assert found is not None
        assert (found.booking.booking_id, found.booking.status) == (booking.booking_id, Status.CANCELLED)
        assert found.booking.booking_id != later.booking_id

    def test_a_ticket_is_worth_nothing_from_the_moment_its_event_is_closed(self, store_harness: StoreHarness) -> None:
        scenery = Scenery.of(store_harness)
        store = scenery.store
        booking, reference = paid(scenery, 0)
        before = verify_ticket(reference, store=store)
        command = CancelEvent(
            event_id=scenery.event.event_id, reason="flood", administrator="root", correlation_id=CORRELATION
        )

        close_event(command, store=store)
        closed, written = verify_ticket(reference, store=store), scenery.stored(booking)
        cancel_event(command, store=store)
        ended = verify_ticket(reference, store=store)

        assert (before.status, [seat.seat_id for seat in before.seats]) == (TicketStatus.VALID, [*scenery.ids(0)])
        assert written.status is Status.CONFIRMED, "its booking has not been ended yet"
        for check in (closed, ended):
            assert (check.status, check.reason) == (TicketStatus.CANCELLED, CancellationReason.EVENT_CANCELLED)
            assert check.cancelled_at is not None
            assert check.seats == ()
