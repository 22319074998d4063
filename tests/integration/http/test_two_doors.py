"""The two doors of `POST /api/v1/bookings` give the same answers, byte for byte but for ids and times (ADR 0030)."""

import json
from collections import Counter
from collections.abc import Sequence
from typing import Any, Final
from uuid import UUID

import pytest
from attrs import define, field

from booking_api.app import BookingApi, create_app
from booking_api.auth.keys import FixedKeys
from booking_api.auth.verifier import TokenVerifier
from booking_api.service import Service
from booking_core import CatalogCache, CatalogUnavailable, IdempotencyKey, Seat, TicketedEvent
from booking_core.domain.reservation import SeatRequest
from booking_core.ports import Catalog, Store
from booking_dev.tokens import DevTokens
from tests.support.api import AUDIENCE, ISSUER
from tests.support.doors import PSEUDONYM_KEY, comparable, counted, outcome_of, through_flask, through_gateway
from tests.support.reservation_requests import Made, World, event_id, groups_of, requests, seat_id, user_id

ORIGIN: Final = "https://shop.example.com"
# Outcomes that one of these requests has by itself; the others need something that the test arranges.
BY_THEMSELVES: Final = {
    "CREATED",
    "REPLAYED",
    "TOO_MANY_SEATS",
    "EVENT_NOT_FOUND",
    "EVENT_NOT_ON_SALE",
    "SEAT_NOT_FOUND",
    "PENDING_LIMIT_REACHED",
    "SEAT_ALREADY_RESERVED",
    "IDEMPOTENCY_KEY_REUSED",
}
NEVER_PROVEN_BY_A_GROUP: Final = {"EVENT_NOT_FOUND", "SEAT_NOT_FOUND"}
OF_THE_APPLICATION: Final = {"UNAUTHENTICATED", "VALIDATION_FAILED", "PAYLOAD_TOO_LARGE"}


class SilentCatalog:
    """The Catalog while it is down."""

    breaker_state: str | None = None

    def event(self, event_id: UUID) -> TicketedEvent | None:
        raise CatalogUnavailable("connection refused")

    def seats(self, event: TicketedEvent, seat_ids: Any = None) -> list[Seat] | None:
        raise CatalogUnavailable("connection refused")

    def close(self) -> None:
        """Nothing is open."""


@define
class Doors:
    """Two worlds over one store, one behind each door, and what each door answered so far."""

    store: Store
    issuer: DevTokens
    catalog: Catalog | None = None
    routed: World = field(init=False)
    early: World = field(init=False)
    flask: BookingApi = field(init=False)
    gateway: BookingApi = field(init=False)
    by_gateway: Counter[str] = field(factory=Counter, init=False)
    by_flask: Counter[str] = field(factory=Counter, init=False)

    def __attrs_post_init__(self) -> None:
        self.routed, self.early = (World(word, self.store, self.issuer) for word in ("aaaaaaaa", "bbbbbbbb"))
        self.flask, self.gateway = self._app(), self._app()
        for world in (self.routed, self.early):
            world.set_up()

    def _app(self) -> BookingApi:
        service = Service(
            store=self.store,
            catalog_cache=self._catalog_cache(),
            cors_origins=(ORIGIN,),
            pseudonym_key=PSEUDONYM_KEY,
        )
        keys = FixedKeys(self.issuer.jwks())
        return create_app(service, TokenVerifier(issuer=ISSUER, audience=AUDIENCE, keys=keys))

    def _catalog_cache(self) -> CatalogCache:
        return CatalogCache(store=self.store, catalog=self.catalog)

    def compare(self, group: Sequence[Made]) -> None:
        """Send each request to the one door, all of them together to the other, and compare the answers."""
        expected = [through_flask(self.flask, *self.routed.request(made)) for made in group]
        answers = through_gateway(
            self.gateway,
            self.store,
            [self.early.request(made) for made in group],
            catalog_cache=self._catalog_cache(),
        )
        for made, routed, (answer, is_by_gateway) in zip(group, expected, answers, strict=True):
            assert comparable(self.early, made, answer) == comparable(self.routed, made, routed), made
            (self.by_gateway if is_by_gateway else self.by_flask)[outcome_of(routed)] += 1


@pytest.fixture
def doors(store: Store, issuer: DevTokens) -> Doors:
    return Doors(store, issuer)


@pytest.mark.slow("two thousand requests")
@pytest.mark.parametrize(("size", "seed"), [(1, 1), (16, 2)])
def test_a_thousand_requests_have_the_same_answers(doors: Doors, size: int, seed: int) -> None:
    for group in groups_of(size, requests(seed, 1000)):
        doors.compare(group)

    # A group of several defers what it cannot prove, and the application answers that.
    assert doors.by_gateway.keys() >= (BY_THEMSELVES if size == 1 else BY_THEMSELVES - NEVER_PROVEN_BY_A_GROUP)
    assert doors.by_flask.keys() >= OF_THE_APPLICATION
    assert doors.by_gateway.keys().isdisjoint(OF_THE_APPLICATION)
    assert sum(doors.by_gateway.values()) > 600
    assert counted(doors.gateway) == counted(doors.flask)


def valid(user: int, *places: int, event: int = 0, key: str | None = None) -> Made:
    body = {"eventId": event_id(event), "seatIds": [seat_id(event, place) for place in places]}
    headers = {"content-type": "application/json", "authorization": f"Bearer signed:{user_id(user)}"}
    return Made(
        headers if key is None else headers | {"idempotency-key": key},
        json.dumps(body),
        user,
        frozenset((event, place) for place in places),
    )


def test_a_few_hundred_requests_have_the_same_answers(store: Store, issuer: DevTokens) -> None:
    doors = Doors(store, issuer)

    for group in groups_of(4, requests(3, 250)):
        doors.compare(group)

    assert doors.by_gateway.keys() >= {"CREATED", "REPLAYED", "SEAT_ALREADY_RESERVED", "IDEMPOTENCY_KEY_REUSED"}
    assert counted(doors.gateway) == counted(doors.flask)


@pytest.mark.parametrize("store", ["postgres"], indirect=True)  # memory waits for two seconds
def test_a_first_request_that_still_runs_has_the_same_answer(doors: Doors) -> None:
    made = valid(1, 0, key="k")
    with doors.store.unit_of_work() as first:
        for world in (doors.routed, doors.early):
            user = world.of(user_id(1))
            key = IdempotencyKey(user_id=user, operation="POST /api/v1/bookings", key="k", fingerprint="f")
            assert first.responses.claim(key) is None
        doors.compare([made])

    assert doors.by_gateway == {"IDEMPOTENCY_IN_PROGRESS": 1}


@pytest.mark.parametrize("store", ["postgres"], indirect=True)  # memory waits for two seconds
def test_a_seat_that_another_transaction_holds_has_the_same_answer(doors: Doors) -> None:
    with doors.store.unit_of_work() as holder:
        for world in (doors.routed, doors.early):
            holder.bookings.lock_seats(
                SeatRequest(
                    user_id=world.of(user_id(2)),
                    event_id=UUID(world.of(event_id(0))),
                    seat_ids=(UUID(world.of(seat_id(0, 0))),),
                )
            )
        doors.compare([valid(1, 0)])

    assert doors.by_gateway == {"SERVICE_BUSY": 1}


@pytest.mark.parametrize("size", [1, 3])
def test_an_event_that_only_the_silent_catalog_may_know_has_the_same_answer(
    store: Store, issuer: DevTokens, size: int
) -> None:
    doors = Doors(store, issuer, SilentCatalog())

    doors.compare([valid(user, user, event=5) for user in range(size)])

    assert (doors.by_gateway if size == 1 else doors.by_flask) == {"CATALOG_UNAVAILABLE": size}


def test_a_bug_has_the_same_answer(doors: Doors, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any, **__: Any) -> Any:
        raise KeyError("a bug")

    monkeypatch.setattr(type(doors.store), "unit_of_work", fail)

    doors.compare([valid(1, 0)])

    assert doors.by_gateway == {"INTERNAL_ERROR": 1}
