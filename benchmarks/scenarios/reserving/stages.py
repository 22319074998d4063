"""Where the time of one reservation goes: each stage by itself, one after the other in this process, nobody else there.

Wall time and the CPU time of this thread; what lies between the two is waiting for PostgreSQL. The server's share of
HTTP (reading, threads, writing) is not in it: `reservations` has the whole.
"""

import json
import statistics
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from time import perf_counter, thread_time
from typing import Final
from uuid import UUID

from attrs import define, field

from benchmarks.environment import seeding
from benchmarks.environment.ground import Ground, user_of
from benchmarks.environment.issuer import AUDIENCE, ISSUER
from benchmarks.environment.seeding import SeededEvent
from benchmarks.measuring.scenario import Figures, Measure, Run, Scale, Scenario
from booking_api.auth.keys import FixedKeys
from booking_api.auth.verifier import TokenVerifier
from booking_api.http.bodies import booking_json, decode_create_booking, success_body
from booking_core import Booking, Cause, Terms
from booking_core.domain.policies import refusal_of
from booking_core.domain.reservation import SeatRequest
from booking_core.domain.values import ActorKind
from booking_core.ports import Store, StoredResponse
from booking_postgres.adapter import create

_NAME: Final = "stages"
_STAGES: Final = ("parse", "token", "connection", "round trip 1", "domain", "round trip 2", "give back", "render")


@define
class _Watch:
    """How long each stage took, in microseconds."""

    wall: dict[str, list[float]] = field(factory=dict)
    cpu: dict[str, list[float]] = field(factory=dict)

    @contextmanager
    def at(self, stage: str) -> Iterator[None]:
        wall, cpu = perf_counter(), thread_time()
        yield
        self.cpu.setdefault(stage, []).append((thread_time() - cpu) * 1e6)
        self.wall.setdefault(stage, []).append((perf_counter() - wall) * 1e6)


@contextmanager
def _ready(ground: Ground, scale: Scale) -> Iterator[Run]:
    number = scale.of(3000, 500)
    with ground.migrated(_NAME) as prepared:
        event = seeding.put_events(prepared, number=1, seats=number * seeding.SEATS_OF_A_BOOKING)[0]
        seeding.settle(prepared)
        yield partial(_run, ground, event)


def _run(ground: Ground, event: SeededEvent) -> Figures:
    verifier = TokenVerifier(issuer=ISSUER, audience=AUDIENCE, keys=FixedKeys(ground.tokens.jwks()))
    token = f"Bearer {ground.token(0)}"
    verifier.verify(token)
    watch = _Watch()
    with ground.copy(_NAME) as url:
        store = create({"BOOKING_DATABASE_URL": url, "BOOKING_DB_CONNECTIONS": "1"})
        try:
            pairs = zip(event.seat_ids[::2], event.seat_ids[1::2], strict=True)
            for number, seats in enumerate(pairs):
                _reserve(watch, store, verifier, token, user_of(number), _body(event.event_id, seats))
        finally:
            store.close()
    figures = {
        f"{stage}, {kind}": statistics.median(taken[stage]) for stage in _STAGES for kind, taken in _kinds(watch)
    }
    return figures | {
        f"all, {kind}": sum(figures[f"{stage}, {kind}"] for stage in _STAGES) for kind, _ in _kinds(watch)
    }


def _reserve(watch: _Watch, store: Store, verifier: TokenVerifier, token: str, user: str, raw: bytes) -> None:
    with watch.at("parse"):
        body = decode_create_booking(raw)
    assert body is not None
    fields = body.fields
    with watch.at("token"):
        verifier.verify(token)
    unit_of_work = store.unit_of_work()
    with watch.at("connection"):
        uow = unit_of_work.__enter__()
    with watch.at("round trip 1"):
        request = SeatRequest(user_id=user, event_id=fields.event_id, seat_ids=tuple(sorted(fields.seat_ids)))
        facts = uow.bookings.lock_seats(request)
    assert not isinstance(facts, StoredResponse)
    with watch.at("domain"):
        refusal = refusal_of(facts)
        assert refusal is None, refusal
        assert facts.event is not None
        booking = Booking.reserve(
            user_id=user,
            event=facts.event,
            seats=tuple(facts.seats[seat_id] for seat_id in request.seat_ids),
            now=facts.now,
            terms=Terms(),
            cause=Cause(actor=ActorKind.CUSTOMER, actor_id=user, correlation_id="bench"),
        )
    with watch.at("round trip 2"):
        uow.bookings.add(booking)
        uow.commit()
    with watch.at("give back"):
        unit_of_work.__exit__(None, None, None)
    with watch.at("render"):
        success_body(booking_json(booking))


def _kinds(watch: _Watch) -> tuple[tuple[str, dict[str, list[float]]], ...]:
    return (("wall", watch.wall), ("CPU", watch.cpu))


def _body(event_id: UUID, seats: tuple[UUID, ...]) -> bytes:
    return json.dumps({"eventId": str(event_id), "seatIds": [str(seat) for seat in seats]}).encode()


SCENARIO: Final = Scenario(
    name=_NAME,
    what="where the time of one reservation goes, stage by stage, in one process",
    measures=tuple(
        Measure(name=f"{stage}, {kind}", unit="µs", less=True)
        for stage in (*_STAGES, "all")
        for kind in ("wall", "CPU")
    ),
    ready=_ready,
)
