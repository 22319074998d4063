"""The rows that each step reads stay in proportion to what it asks for, whatever the tables held when it was planned.

PostgreSQL keeps the plans of prepared statements, functions and foreign keys for as long as a session lives. A sale
begins with empty tables, of which any plan is quick.
"""

from collections.abc import Callable, Iterator
from itertools import count
from typing import Any, Final
from uuid import uuid4

import pytest
from attrs import define, evolve, field
from sqlalchemy import text

from booking_core.application import (
    IdempotentCall,
    ReservationRequest,
    expire,
    fail_payment,
    get_booking,
    list_bookings,
    reserve_once,
    show_booking,
    verify_ticket,
)
from booking_core.contracts.groups.requests import KEY, grouped, kinds, request_of
from booking_core.contracts.store.fixture import CORRELATION, refused
from booking_core.domain.booking import Booking
from booking_core.domain.commands import FailPayment
from booking_core.domain.errors import SeatAlreadyReserved
from booking_core.domain.lifecycle import Status
from booking_core.ports import Page
from tests.support.postgres.stage import Stage

TIMES: Final = 8
"""PostgreSQL keeps a plan from the sixth execution on."""
STORED: Final = 1500
MOST: Final = 120
"""Rows and index entries that one step may read in each table; with a plan that fits it reads less than 60."""
_READ: Final = """
    SELECT relname, coalesce(seq_tup_read, 0) + (
        SELECT coalesce(sum(idx_tup_read), 0) FROM pg_stat_user_indexes i WHERE i.relid = t.relid)::bigint
    FROM pg_stat_user_tables t WHERE schemaname = 'booking'
"""
_TABLES: Final = "SELECT tablename FROM pg_tables WHERE schemaname = 'booking'"
# As many live bookings, with one seat each, of the same event. A temporary table would come with a schema, and a new
# schema makes every session plan anew.
_STORE: Final = (
    "SET session_replication_role = replica",
    """
    CREATE TABLE stored AS
    SELECT n, e.slot, e.event_id, gen_random_uuid() AS booking_id, gen_random_uuid() AS seat_id,
        'crowd ' || n AS user_id
    FROM booking.events e, generate_series(1, %(stored)s) n
    """,
    """
    INSERT INTO booking.seats (slot, event_id, seat_id, row_name, number, price)
    SELECT slot, event_id, seat_id, 'B', n, 75 FROM stored
    """,
    """
    INSERT INTO booking.bookings (slot, booking_id, event_id, user_id, status, total, currency, created_at, expires_at,
        deadline, correlation_id, revision, sequence)
    SELECT slot, booking_id, event_id, user_id, 'PENDING', 75, 'USD', now(), now() + interval '1 day',
        now() + interval '1 day', 'c', 1, 1 FROM stored
    """,
    """
    INSERT INTO booking.claims (slot, event_id, seat_id, booking_id, row_name, number, price, held_until)
    SELECT slot, event_id, seat_id, booking_id, 'B', n, 75, now() + interval '1 day' FROM stored
    """,
    "INSERT INTO booking.customers SELECT user_id FROM stored",
    "INSERT INTO booking.holds SELECT user_id, booking_id, now() + interval '1 day' FROM stored",
    """
    INSERT INTO booking.payments (slot, booking_id, payment_id, status, recorded_at)
    SELECT slot, booking_id, 'p', 'PROCESSING', now() FROM stored
    """,
    """
    INSERT INTO booking.history (slot, booking_id, number, at, trigger, to_status, actor, actor_id, correlation_id,
        note)
    SELECT slot, booking_id, 1, now(), 'RESERVE', 'PENDING', 'CUSTOMER', user_id, 'c', '' FROM stored
    """,
    """
    INSERT INTO booking.outbox (slot, key, sequence, message_id, event_type, correlation_id, recorded_at, body)
    SELECT slot, booking_id, 1, gen_random_uuid(), 'booking.created', 'c', now(), '{}' FROM stored
    """,
    """
    INSERT INTO booking.inbox (slot, message_id, booking_id, received_at)
    SELECT slot, gen_random_uuid(), booking_id, now() FROM stored
    """,
    """
    INSERT INTO booking.idempotency_keys (user_id, operation, key, fingerprint, answer, created_at)
    SELECT user_id, 'o', 'k', 'f', 'a', now() FROM stored
    """,
    "SET session_replication_role = origin",
)
_END_THE_TIME: Final = (
    b"UPDATE booking.bookings SET created_at = now() - interval '1 h', expires_at = now() - interval '1 s',"
    b" deadline = now() - interval '1 s' WHERE booking_id = %s",
    b"UPDATE booking.holds SET deadline = now() - interval '1 s' WHERE booking_id = %s",
    b"UPDATE booking.claims SET held_until = now() - interval '1 s' WHERE booking_id = %s",
)


@define(eq=False)
class Steps:
    """The frequent steps: each is prepared, which is not measured, and then done."""

    stage: Stage
    _numbers: Iterator[int] = field(factory=count)

    def free_seat(self) -> int:
        return next(self._numbers)

    def made(self, *, paid: bool = False) -> Booking:
        place = self.free_seat()
        booking = self.stage.fixture.reserve(place, user=f"user {place}")
        if paid:
            assert self.stage.fixture.pay(booking)
        return get_booking(booking.user_id, booking.booking_id, store=self.stage.store)

    def paid(self) -> Booking:
        return self.made(paid=True)

    def overdue(self) -> int:
        """The place of a seat whose hold is overdue."""
        place = self.free_seat()
        booking = self.stage.fixture.reserve(place, user=f"late {place}")
        for change in _END_THE_TIME:
            self.stage.door.execute(change, [booking.booking_id])
        return place

    def request(self, place: int) -> ReservationRequest:
        once = IdempotentCall(key=evolve(KEY, user_id=f"user {place}", key=str(place)), render=str)
        return request_of(self.stage.fixture, place, user=f"user {place}", once=once)

    def reserve(self, place: int) -> None:
        self.stage.fixture.reserve(place, user=f"user {place}")

    def reserve_with_key(self, place: int) -> None:
        request = self.request(place)
        assert request.once
        assert isinstance(reserve_once(request.command, once=request.once, store=self.stage.store), Booking)

    def want_it_too(self, booking: Booking) -> None:
        place = self.stage.fixture.seats.index(booking.seats[0])
        refused(SeatAlreadyReserved, lambda: self.stage.fixture.reserve(place, user="late"))

    def reserve_group(self, place: int) -> None:
        others = [self.free_seat() for _ in range(3)]
        assert kinds(grouped(self.stage.fixture, *map(self.request, [place, *others]))) == [Booking] * 4

    def reserve_group_with_taken(self, booking: Booking) -> None:
        places = [self.stage.fixture.seats.index(booking.seats[0]), self.free_seat()]
        requests = [request_of(self.stage.fixture, place, user=f"new {place}") for place in places]
        assert kinds(grouped(self.stage.fixture, *requests)) == [SeatAlreadyReserved, Booking]

    def fail(self, booking: Booking) -> None:
        command = FailPayment(
            message_id=uuid4(), booking_id=booking.booking_id, payment_id="p", correlation_id=CORRELATION
        )
        assert fail_payment(command, store=self.stage.store)

    def expire(self, _: int) -> None:
        assert expire(store=self.stage.store).expired == 1

    def get(self, booking: Booking) -> None:
        get_booking(booking.user_id, booking.booking_id, store=self.stage.store)
        show_booking(booking.booking_id, store=self.stage.store)
        self.stage.store.reads.seat_statuses(booking.event_id, booking.seat_ids)

    def list(self, booking: Booking) -> None:
        for status in (None, Status.CONFIRMED, Status.CANCELLED):
            list_bookings(booking.user_id, status, Page(), store=self.stage.store)

    def verify(self, booking: Booking) -> None:
        assert booking.ticket_reference
        verify_ticket(booking.ticket_reference, store=self.stage.store)

    def look_up_keys(self, place: int) -> None:
        self.stage.store.reads.stored_responses([evolve(KEY, key=str(place + n)) for n in range(3)])

    def publish(self, _: Booking) -> None:
        outbox = self.stage.store.outbox
        assert outbox.mark_published(outbox.unpublished(3)) == 3

    def pay(self, booking: Booking) -> None:
        assert self.stage.fixture.start_payment(booking)
        assert self.stage.fixture.pay(booking)

    def cancel(self, booking: Booking) -> None:
        self.stage.fixture.cancel(booking)

    def all(self) -> dict[str, tuple[Callable[[], Any], Callable[[Any], None]]]:
        """By name: what prepares the step, and the step. Reads come first: their plans are for the smallest tables."""
        return {
            "get": (self.made, self.get),
            "list": (self.paid, self.list),
            "verify a ticket": (self.paid, self.verify),
            "look up keys": (self.free_seat, self.look_up_keys),
            "publish": (self.made, self.publish),
            "reserve": (self.free_seat, self.reserve),
            "reserve with a key": (self.free_seat, self.reserve_with_key),
            "reserve a taken seat": (self.made, self.want_it_too),
            "reserve an overdue seat": (self.overdue, self.reserve),
            "reserve a group": (self.free_seat, self.reserve_group),
            "reserve a group with a taken seat": (self.made, self.reserve_group_with_taken),
            "pay": (self.made, self.pay),
            "payment failed": (self.made, self.fail),
            "cancel": (self.made, self.cancel),
            "cancel a paid one": (self.paid, self.cancel),
            "expire": (self.overdue, self.expire),
        }


@pytest.mark.parametrize("known", ["nothing", "empty", "all"])
def test_rows_read_stay_in_proportion_when_tables_grow(database_url: str, known: str) -> None:
    with Stage.at(database_url, seats=600, connections=1) as stage:
        for (table,) in stage.door.execute(_TABLES).fetchall():
            stage.door.execute(f"ALTER TABLE booking.{table} SET (autovacuum_enabled = false)".encode())
        if known == "empty":
            stage.door.execute("VACUUM ANALYZE")
        if known == "all":
            store(stage)
            stage.door.execute("VACUUM ANALYZE")
        steps = Steps(stage)
        for prepare, act in steps.all().values():
            for _ in range(TIMES):
                act(prepare())
        if known != "all":
            store(stage)

        read = {name: rows_read(stage, prepare, act) for name, (prepare, act) in steps.all().items()}

        too_much = {name: {table: n for table, n in by_table.items() if n > MOST} for name, by_table in read.items()}
        assert {name: tables for name, tables in too_much.items() if tables} == {}


def store(stage: Stage) -> None:
    for statement in _STORE:
        stage.door.execute(statement.encode(), {"stored": STORED} if "%(" in statement else None)


def rows_read(stage: Stage, prepare: Callable[[], Any], act: Callable[[Any], None]) -> dict[str, int]:
    """The rows and index entries that one step reads in each table."""
    prepared = prepare()
    before = reported(stage)
    act(prepared)
    return {table: n - before[table] for table, n in reported(stage).items()}


def reported(stage: Stage) -> dict[str, int]:
    with stage.store.engine.connect() as connection:
        connection.execute(text("SELECT pg_stat_force_next_flush()"))
        connection.commit()
    stage.door.execute("SELECT pg_stat_force_next_flush()")  # the door, too, reports a second later otherwise
    return {table: int(n) for table, n in stage.door.execute(_READ.encode())}
