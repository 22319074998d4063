"""A ticket is found by its reference at once, however many bookings there are."""

from collections.abc import Iterator
from typing import Any

import pytest

from booking_core.application import TicketStatus, verify_ticket
from booking_core.domain.identity import slot_of_ticket
from booking_postgres.reads import queries
from tests.support.postgres.stage import Stage

# Bookings like the first one, half of them of the same event: the reference, not the slot, must lead to the one.
_CROWD = """
    INSERT INTO booking.bookings
    SELECT (jsonb_populate_record(b, jsonb_build_object(
        'slot', CASE WHEN n % 2 = 0 THEN b.slot ELSE n % 4096 END,
        'booking_id', gen_random_uuid(), 'ticket_reference', 'T' || n))).*
    FROM booking.bookings b CROSS JOIN generate_series(1, 6000) n
"""


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The plan and everything beneath it."""
    yield plan
    for each in plan.get("Plans", ()):
        yield from nodes(each)


@pytest.mark.parametrize("mode", ["force_custom_plan", "force_generic_plan"])
def test_by_the_index_of_tickets_alone(stage: Stage, mode: str) -> None:
    booking = stage.fixture.reserve(0)
    stage.fixture.pay(booking)
    reference = stage.ask("SELECT ticket_reference FROM booking.bookings")
    stage.door.execute(_CROWD)
    stage.door.execute("ANALYZE booking.bookings")

    query = queries._BY_TICKET.replace("%(slot)s", "$1").replace("%(reference)s", "$2")
    stage.door.execute(f"SET plan_cache_mode = {mode}")
    stage.door.execute(f"PREPARE by_ticket (smallint, text) AS {query}")
    explain = f"EXPLAIN (FORMAT JSON) EXECUTE by_ticket ({slot_of_ticket(reference)}, '{reference}')"
    scans = [node for node in nodes(stage.ask(explain)[0]["Plan"]) if node.get("Relation Name") == "bookings"]

    assert [scan["Node Type"] for scan in scans] == ["Index Scan"]
    assert scans[0]["Index Name"] == "one_booking_per_ticket"
    assert scans[0]["Index Cond"].count("slot") == scans[0]["Index Cond"].count("ticket_reference") == 1
    assert "Filter" not in scans[0]
    found = verify_ticket(reference, store=stage.store)
    assert (found.status, found.booking_id) == (TicketStatus.VALID, booking.booking_id)
