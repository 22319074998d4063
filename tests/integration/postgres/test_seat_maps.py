"""Seat maps of which much is remembered: whatever changes, and whoever changes it, is seen at the next look."""

import random
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import Final
from uuid import UUID, uuid4

import pytest
from attrs import evolve

from booking_core.domain.booking import Booking
from booking_core.domain.values import SeatStatus
from booking_core.ports import SeatOnMap
from booking_postgres.driver import pipeline, reader
from booking_postgres.driver.pipeline import Rows, Statement
from booking_postgres.driver.reader import Reader
from booking_postgres.reads.seat_maps import SeatMaps
from tests.support.postgres.stage import Stage

AVAILABLE, HELD, SOLD = SeatStatus.AVAILABLE, SeatStatus.HELD, SeatStatus.SOLD
ROUNDS: Final = 60


@pytest.fixture
def rows_read(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many rows each statement of a reader gave."""
    counts: list[int] = []
    run = pipeline.run

    def count(connection: pipeline.Connection, statements: Sequence[Statement], *, begin: bool) -> list[Rows]:
        answers = run(connection, statements, begin=begin)
        asked = zip(statements, answers, strict=True)
        counts.extend(len(rows) for statement, rows in asked if not statement.sql.startswith("SELECT set_config"))
        return answers

    monkeypatch.setattr(reader, "run", count)
    return counts


def look(stage: Stage) -> list[SeatOnMap]:
    """The map as the store shows it; one that remembers nothing must show the same."""
    event_id = stage.fixture.event.event_id
    shown = list(stage.store.reads.seats(event_id).seats)
    assert shown == list(SeatMaps(Reader(engine=stage.store.engine)).of(event_id).seats)
    return shown


def status_of(stage: Stage, place: int) -> SeatStatus | None:
    [seat_id] = stage.fixture.ids(place)
    return next((entry.status for entry in look(stage) if entry.seat.seat_id == seat_id), None)


def test_seats_are_sent_once(stage: Stage, rows_read: list[int]) -> None:
    event_id, seats = stage.fixture.event.event_id, stage.store.reads.seats
    stage.fixture.reserve(0, 1)
    first, second, third = seats(event_id), seats(event_id), seats(event_id)
    stage.fixture.reserve(2)
    fourth = seats(event_id)

    assert rows_read == [13, 1, 1, 1]
    assert list(first.seats) == list(second.seats)
    assert first.version is not None
    assert third is second is first
    assert fourth != second


def test_what_happens_to_a_seat_is_seen_at_once(stage: Stage) -> None:
    fixture = stage.fixture
    assert status_of(stage, 0) is AVAILABLE
    booking = fixture.reserve(0)
    assert status_of(stage, 0) is HELD
    fixture.start_payment(booking)
    assert status_of(stage, 0) is HELD
    fixture.pay(booking)
    assert status_of(stage, 0) is SOLD
    fixture.cancel(booking)
    assert status_of(stage, 0) is AVAILABLE
    fixture.reserve(0)
    stage.age(601)
    assert status_of(stage, 0) is AVAILABLE
    fixture.reserve(0)
    assert status_of(stage, 0) is HELD
    assert {status_of(stage, place) for place in range(1, 12)} == {AVAILABLE}


@pytest.mark.parametrize(
    "change",
    [
        "SET price = 80",
        "SET row_name = 'AA'",
        "SET number = number + 100",
        "SET withdrawn = true",
        "SET seat_id = gen_random_uuid()",
    ],
)
def test_a_change_of_a_seat_by_anybody_is_seen_at_once(stage: Stage, change: str) -> None:
    [seat_id] = stage.fixture.ids(3)
    before = look(stage), look(stage)

    stage.door.execute(f"UPDATE booking.seats {change} WHERE seat_id = '{seat_id}'".encode())
    after = look(stage)

    assert before[0] == before[1]
    assert after != before[0]
    stage.door.execute("DELETE FROM booking.seats WHERE seat_id = %s", [stage.fixture.ids(4)[0]])
    assert len(look(stage)) == len(after) - 1


def test_two_seats_that_change_places_are_seen(stage: Stage) -> None:
    before = [(each.seat.seat_id, each.seat.number) for each in look(stage)]
    pair = list(stage.fixture.ids(3, 4))

    stage.door.execute(
        "UPDATE booking.seats s SET number = o.number FROM booking.seats o"
        " WHERE s.seat_id = ANY(%(pair)s) AND o.seat_id = ANY(%(pair)s) AND o.seat_id <> s.seat_id",
        {"pair": pair},
    )

    after = [(each.seat.seat_id, each.seat.number) for each in look(stage)]
    assert sorted(number for _, number in after) == sorted(number for _, number in before)
    assert {seat_id for seat_id, _ in set(after) - set(before)} == set(pair)


def test_a_withdrawn_seat_is_shown_while_it_has_a_live_claim(stage: Stage) -> None:
    fixture = stage.fixture
    held, sold = fixture.reserve(1), fixture.reserve(2)
    fixture.pay(sold)
    with stage.store.unit_of_work() as uow:
        uow.events.withdraw_seats(fixture.event.event_id, fixture.ids(5, 6))
        uow.commit()

    assert [status_of(stage, place) for place in (0, 1, 2, 5)] == [None, HELD, SOLD, AVAILABLE]
    stage.age(601)
    # Nobody can have it, but until somebody settles the hold, the claim is there.
    assert [status_of(stage, place) for place in (0, 1, 2, 5)] == [None, AVAILABLE, SOLD, AVAILABLE]
    with stage.store.unit_of_work() as uow:
        uow.bookings.expire_overdue(10)
        uow.commit()
    assert [status_of(stage, place) for place in (0, 1, 2, 5)] == [None, None, SOLD, AVAILABLE]
    assert fixture.stored(held).cancelled_at is not None


def test_what_a_transaction_sees_of_its_own_is_not_told_to_others(stage: Stage) -> None:
    event_id = stage.fixture.event.event_id
    before = look(stage)
    with stage.store.engine.connect() as connection:
        joined = stage.store.on(connection)
        assert list(joined.reads.seats(event_id).seats) == before
        for price in (80, 90):
            connection.exec_driver_sql(f"UPDATE booking.seats SET price = {price}")
            assert {each.seat.price for each in joined.reads.seats(event_id).seats} == {Decimal(price)}
            assert look(stage) == before
        connection.rollback()
        assert list(joined.reads.seats(event_id).seats) == before
    assert look(stage) == before


def test_an_event_without_seats_and_one_that_gets_some(stage: Stage) -> None:
    event = evolve(stage.fixture.event, event_id=uuid4())
    with stage.store.unit_of_work() as uow:
        uow.events.put(event, ages=False, complete=True)
        uow.commit()
    assert list(stage.store.reads.seats(event.event_id).seats) == []

    seats = [evolve(seat, seat_id=uuid4()) for seat in stage.fixture.seats]
    with stage.store.unit_of_work() as uow:
        uow.events.put_seats(event.event_id, seats)
        uow.commit()

    assert {each.seat.seat_id for each in stage.store.reads.seats(event.event_id).seats} == {s.seat_id for s in seats}


def test_no_more_seats_are_remembered_than_may_be(stage: Stage, rows_read: list[int]) -> None:
    maps = SeatMaps(Reader(engine=stage.store.engine), most_seats=25)
    events = [stage.set_up().event.event_id for _ in range(3)]
    large = stage.set_up(seats=26).event.event_id
    rows_read.clear()

    def looks(event_id: UUID) -> list[int]:
        """How many rows are read for its map."""
        rows_read.clear()
        maps.of(event_id)
        return list(rows_read)

    assert [looks(event_id) for event_id in (*events, events[2], events[1])] == [[13], [13], [13], [1], [1]]
    assert looks(events[0]) == [13], "the one that nobody looked at for longest has gone"
    assert [looks(events[1]), looks(events[2])] == [[1], [13]]
    assert [looks(large), looks(large), looks(events[1])] == [[27], [27], [1]]
    for price in (80, 90, 100):
        stage.door.execute("UPDATE booking.seats SET price = %s WHERE event_id = %s", [price, events[2]])
        assert [looks(events[2]), looks(events[2])] == [[1, 13], [1]]
    assert looks(events[1]) == [1], "what is remembered anew is not counted twice"


def test_many_look_while_many_things_happen(stage: Stage) -> None:
    """Every look shows what a look that remembers nothing shows; then eight at once show the same."""
    rnd = random.Random(7)
    fixture = stage.fixture
    live: list[Booking] = []

    def let_time_pass() -> None:
        stage.age(400)
        live.clear()

    steps: list[Callable[[], object]] = [
        lambda: stage.door.execute("UPDATE booking.seats SET withdrawn = NOT withdrawn WHERE number = %s", [number]),
        lambda: stage.door.execute("UPDATE booking.seats SET price = price + 1 WHERE number = %s", [number]),
        lambda: fixture.pay(rnd.choice(live)) if live else None,
        lambda: fixture.cancel(live.pop()) if live else None,
        let_time_pass,
    ]
    seen = set()
    for turn in range(ROUNDS):
        number = rnd.randint(1, 12)
        gone = {row[0] for row in stage.door.execute("SELECT seat_id FROM booking.seats WHERE withdrawn")}
        open_to_all = {each.seat.seat_id for each in look(stage) if each.status is AVAILABLE} - gone
        free = [place for place in range(12) if fixture.seats[place].seat_id in open_to_all]
        if turn % 2 and free:
            live.append(fixture.reserve(rnd.choice(free), user=f"user-{turn}"))
        else:
            rnd.choice(steps)()
        seen |= {each.status for each in look(stage)}

    assert seen == {AVAILABLE, HELD, SOLD}
    with ThreadPoolExecutor(8) as pool:
        maps = list(pool.map(lambda _: list(stage.store.reads.seats(fixture.event.event_id).seats), range(32)))
    assert all(each == look(stage) for each in maps)
