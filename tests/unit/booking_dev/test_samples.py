"""The sample events of `booking dev`."""

from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from attrs import asdict

from booking_core.application import get_booking, reserve
from booking_core.domain.commands import Reserve
from booking_dev.samples import HALL_ID, sample_events
from booking_memory.store import MemoryStore
from booking_service.catalog_file import LoadedEvent, load_event

NOW = datetime(2026, 3, 1, 10, 0, 7, 123456, tzinfo=UTC)


def only(condition: Callable[[LoadedEvent], bool], now: datetime = NOW) -> LoadedEvent:
    [found] = [sample for sample in sample_events(now) if condition(sample)]
    return found


def test_one_hall_has_two_thousand_seats_whose_price_falls_from_row_to_row() -> None:
    hall = only(lambda sample: len(sample.seats) == 2000)
    assert hall.event.event_id == HALL_ID
    assert len({(seat.row, seat.number) for seat in hall.seats}) == 2000
    assert set(Counter(seat.row for seat in hall.seats).values()) == {40}
    in_order = sorted(hall.seats, key=lambda seat: (seat.row, seat.number))
    prices = [seat.price for seat in in_order]
    assert prices == sorted(prices, reverse=True)
    assert Counter(prices) == dict.fromkeys(map(Decimal, ("120.00", "95.00", "75.00", "55.00", "35.00")), 400)


def test_one_event_starts_in_twenty_hours_and_one_in_forty_days() -> None:
    starts = {round((sample.event.starts_at - NOW) / timedelta(hours=1)) for sample in sample_events(NOW)}
    assert {20, 40 * 24} <= starts
    assert all(sample.event.starts_at > NOW for sample in sample_events(NOW))


def test_ids_stay_and_starts_move_with_the_clock() -> None:
    first, second = sample_events(NOW), sample_events(NOW + timedelta(days=3))
    assert [sample.seats for sample in first] == [sample.seats for sample in second]
    assert [sample.event.event_id for sample in first] == [sample.event.event_id for sample in second]
    moved = {after.event.starts_at - before.event.starts_at for before, after in zip(first, second, strict=True)}
    assert moved == {timedelta(days=3)}
    seats = [seat.seat_id for sample in first for seat in sample.seats]
    assert len(seats) == len(set(seats))


def test_loading_them_again_leaves_bookings_as_they_are() -> None:
    store = MemoryStore(clock=lambda: NOW)
    soon = only(lambda sample: sample.event.starts_at - NOW < timedelta(days=1))
    load_event(soon, store=store)
    command = Reserve(
        user_id="ann",
        event_id=soon.event.event_id,
        seat_ids=(soon.seats[0].seat_id,),
        correlation_id="corr",
    )
    booked = get_booking("ann", reserve(command, store=store).booking_id, store=store)

    load_event(only(lambda sample: sample.event.event_id == soon.event.event_id, NOW + timedelta(days=3)), store=store)

    assert asdict(get_booking("ann", booked.booking_id, store=store)) == asdict(booked)
    statuses = Counter(place.status.value for place in store.reads.seats(soon.event.event_id).seats)
    assert statuses == {"HELD": 1, "AVAILABLE": len(soon.seats) - 1}
    mirrored = store.reads.event(soon.event.event_id)
    assert mirrored is not None
    assert mirrored.event.starts_at == soon.event.starts_at + timedelta(days=3)
