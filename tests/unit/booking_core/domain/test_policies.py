"""BR-01 to BR-04, each at its edge, and the order in which a reservation is refused."""

from datetime import datetime, timedelta
from itertools import chain, combinations
from typing import Any, Final
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from booking_core.domain.lifecycle import Becomes, Status, Trigger
from booking_core.domain.policies import (
    RESERVATION_RULES,
    Facts,
    br_01_no_double_booking,
    br_02_is_overdue,
    br_02_processing_deadline,
    br_03_pending_limit,
    br_03_seat_limit,
    br_04_full_refund,
    event_exists,
    event_is_on_sale,
    refusal_of,
    seats_exist,
)
from booking_core.domain.reservation import ReservationFacts
from booking_core.domain.values import SaleStatus, Terms
from tests.support.builders import MICROSECOND, SEAT_IDS, SEATS, STARTS_AT, at, event, outcome_of

DAY: Final = timedelta(hours=24)
UNKNOWN: Final = UUID(int=99)
MOMENTS: Final = st.datetimes(datetime(2020, 1, 1), datetime(2090, 1, 1))  # noqa: DTZ001 - differences alone matter


def facts_of(**facts: Any) -> ReservationFacts:
    """A reservation that may be made, but for the facts given."""
    granted: dict[str, Any] = {
        "now": at(0),
        "event": event(),
        "wanted": SEAT_IDS,
        "seats": dict(zip(SEAT_IDS, SEATS, strict=True)),
    }
    return ReservationFacts(**granted | facts)


def test_nothing_wrong_is_no_refusal() -> None:
    assert refusal_of(facts_of()) is None
    assert [rule(facts_of()) for rule in RESERVATION_RULES] == [None] * 5


# -- the order of refusals -------------------------------------------------------------------------------------------

WRONGS: Final[dict[str, dict[str, Any]]] = {
    "EVENT_NOT_FOUND": {"event": None},
    "EVENT_NOT_ON_SALE": {"closed": True},
    "SEAT_NOT_FOUND": {"wanted": (*SEAT_IDS, UNKNOWN)},
    "PENDING_LIMIT_REACHED": {"pending": 3},
    "SEAT_ALREADY_RESERVED": {"taken": frozenset(SEAT_IDS[:1])},
}
"""What each refusal needs, in the order in which the design answers them."""

SUBSETS: Final = list(chain.from_iterable(combinations(WRONGS, size) for size in range(1, len(WRONGS) + 1)))


@pytest.mark.parametrize("wrong", SUBSETS, ids="+".join)
def test_the_first_refusal_wins_whatever_else_is_wrong(wrong: tuple[str, ...]) -> None:
    facts: dict[str, Any] = {}
    for code in wrong:
        facts |= WRONGS[code]
    refusal = refusal_of(facts_of(**facts))

    assert refusal is not None
    assert refusal.code == wrong[0]


# -- what is refused -------------------------------------------------------------------------------------------------


def test_an_unknown_event_is_not_found() -> None:
    refusal = event_exists(facts_of(event=None))
    assert refusal is not None
    assert (refusal.code, refusal.details) == ("EVENT_NOT_FOUND", {})


@pytest.mark.parametrize("status", [SaleStatus.CANCELLED, SaleStatus.DRAFT])
def test_what_the_catalog_does_not_sell_is_not_on_sale(status: SaleStatus) -> None:
    refusal = event_is_on_sale(facts_of(event=event(status=status)))
    assert refusal is not None
    assert refusal.code == "EVENT_NOT_ON_SALE"


def test_an_event_closed_here_is_not_on_sale_whatever_the_catalog_says() -> None:
    assert event_is_on_sale(facts_of()) is None
    assert event_is_on_sale(facts_of(closed=True)) is not None


def test_an_event_is_on_sale_until_it_starts() -> None:
    assert event_is_on_sale(facts_of(event=event(starts_at=at(0) + MICROSECOND))) is None
    assert event_is_on_sale(facts_of(event=event(starts_at=at(0)))) is not None
    assert event_is_on_sale(facts_of(event=event(starts_at=at(0) - MICROSECOND))) is not None


def test_every_seat_that_does_not_exist_is_listed() -> None:
    refusal = seats_exist(facts_of(wanted=(UNKNOWN, *SEAT_IDS, UUID(int=98))))
    assert refusal is not None
    assert refusal.details == {"seatIds": [str(UUID(int=98)), str(UNKNOWN)]}


def test_a_seat_may_be_known_though_it_was_not_locked() -> None:
    # Where a seat is taken nothing is locked, and only the ids are read.
    assert seats_exist(facts_of(seats={}, known=frozenset(SEAT_IDS))) is None
    refusal = seats_exist(facts_of(seats={}, known=frozenset(SEAT_IDS[:1])))
    assert refusal is not None
    assert refusal.details == {"seatIds": [str(SEAT_IDS[1])]}


def test_br_01_lists_every_seat_that_is_taken() -> None:
    refusal = br_01_no_double_booking(facts_of(taken=frozenset(SEAT_IDS)))
    assert refusal is not None
    assert (refusal.code, refusal.details) == (
        "SEAT_ALREADY_RESERVED",
        {"unavailableSeatIds": [str(each) for each in SEAT_IDS]},
    )
    assert br_01_no_double_booking(facts_of(taken=frozenset())) is None


@pytest.mark.parametrize(("pending", "refused"), [(0, False), (2, False), (3, True), (4, True)])
def test_br_03_three_bookings_may_wait_for_payment(pending: int, refused: bool) -> None:
    refusal = br_03_pending_limit(facts_of(pending=pending))
    assert (refusal is not None) is refused
    assert refusal is None or refusal.code == "PENDING_LIMIT_REACHED"


@pytest.mark.parametrize(("seats", "refused"), [(1, False), (10, False), (11, True), (500, True)])
def test_br_03_ten_seats_are_one_booking(seats: int, refused: bool) -> None:
    refusal = br_03_seat_limit(seats)
    assert (refusal is not None) is refused
    assert refusal is None or refusal.code == "TOO_MANY_SEATS"


# -- time ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", list(Status))
@pytest.mark.parametrize(("step", "over"), [(-MICROSECOND, False), (timedelta(0), True), (MICROSECOND, True)])
def test_br_02_a_hold_is_over_at_its_deadline(status: Status, step: timedelta, over: bool) -> None:
    on_hold = status in (Status.PENDING, Status.PROCESSING)

    facts = Facts(now=at(10) + step, deadline=at(10))

    assert br_02_is_overdue(facts) is over
    assert isinstance(outcome_of(status, Trigger.EXPIRY, facts), Becomes) is (over and on_hold)
    assert br_02_is_overdue(Facts(now=at(10) + step)) is False


@given(MOMENTS, MOMENTS, st.timedeltas(MICROSECOND, timedelta(hours=2)))
def test_br_02_a_payment_in_progress_never_has_less_than_was_promised(
    expires_at: datetime, started_at: datetime, timeout: timedelta
) -> None:
    deadline = br_02_processing_deadline(
        Facts(now=started_at, deadline=expires_at, terms=Terms(processing_timeout=timeout))
    )

    assert deadline >= expires_at
    assert deadline >= started_at + timeout
    assert deadline in (expires_at, started_at + timeout)


@pytest.mark.parametrize(
    ("ahead", "refunded"),
    [(DAY + MICROSECOND, True), (DAY, False), (DAY - MICROSECOND, False), (timedelta(0), False), (-DAY, False)],
)
def test_br_04_more_than_24_hours_ahead_is_a_full_refund(ahead: timedelta, refunded: bool) -> None:
    assert br_04_full_refund(Facts(now=STARTS_AT - ahead, event_starts_at=STARTS_AT)) is refunded


@given(MOMENTS, st.timedeltas(-timedelta(days=400), timedelta(days=400)))
def test_br_04_says_yes_exactly_above_24_hours(now: datetime, ahead: timedelta) -> None:
    assert br_04_full_refund(Facts(now=now, event_starts_at=now + ahead)) is (ahead.total_seconds() > 86_400)
