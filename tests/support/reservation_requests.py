"""Reservation requests of every kind, made from a seed, and two worlds to send each of them to.

The worlds have the same events, seats and users, whose names differ in one word of eight letters. So a request and its
answer in one world are those in the other but for that word.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import timedelta
from decimal import Decimal
from random import Random
from typing import Any, Final
from uuid import UUID

from attrs import define, field, frozen

from booking_core import SaleStatus, Seat, TicketedEvent
from booking_core.ports import Store
from booking_dev.tokens import DevTokens

USERS: Final = 240
SEATS: Final = 150
ON_SALE: Final = (0, 1)
"""Events with seats that can be reserved; the others are a draft, cancelled, over, and unknown."""
EVENTS: Final = 6
_UNKNOWN: Final = 5
_WORD: Final = "w0r1d000"
_ID: Final = re.compile(r'"bookingId":"([0-9a-f-]{36})"')
_TIME: Final = re.compile(r'"20[0-9]{2}-[0-9]{2}-[0-9]{2}T[0-9:.]+Z"')


@frozen
class Made:
    """A request; the word stands for the world. `user` and `seats` name what it wants, if it can be read."""

    headers: Mapping[str, str]
    body: str
    user: int
    seats: frozenset[tuple[int, int]]

    def shares_with(self, others: "list[Made]") -> bool:
        """Whether one of the others has its user or one of its seats, so that their order matters."""
        return any(self.user == each.user or self.seats & each.seats for each in others)


@define
class World:
    """One world: `word` has eight hexadecimal digits. `answers_of` are normalized, and so compare with the other's."""

    word: str
    store: Store
    issuer: DevTokens
    _tokens: dict[str, str] = field(factory=dict, init=False)
    _bookings: dict[str, str] = field(factory=dict, init=False)

    def set_up(self) -> None:
        """Store the events and their seats."""
        now = self.store.reads.now()
        statuses = [SaleStatus.ON_SALE, SaleStatus.ON_SALE, SaleStatus.DRAFT, SaleStatus.CANCELLED, SaleStatus.ON_SALE]
        for event, status in enumerate(statuses):
            starts_at = now + (timedelta(seconds=-1) if event == 4 else timedelta(days=40))
            known = TicketedEvent(
                event_id=UUID(self.of(event_id(event))),
                name="A concert",
                starts_at=starts_at,
                status=status,
                currency="JPY" if event == 1 else "USD",
            )
            price = Decimal(1200) if event == 1 else Decimal("12.50")
            seats = [
                Seat(seat_id=UUID(self.of(seat_id(event, place))), row="é", number=place + 1, price=price)
                for place in range(SEATS)
            ]
            with self.store.unit_of_work() as uow:
                uow.events.put(known, ages=False, complete=True)
                uow.events.put_seats(known.event_id, seats)
                uow.commit()

    def of(self, text: str) -> str:
        """The text in this world."""
        return text.replace(_WORD, self.word).replace(_WORD.upper(), self.word.upper())

    def request(self, made: Made) -> tuple[dict[str, str], bytes]:
        """Headers and body in this world, the token signed."""
        headers = {name: self.of(text) for name, text in made.headers.items()}
        scheme, signed, user = headers.get("authorization", "").partition(" signed:")
        if signed:
            headers["authorization"] = f"{scheme} {self._token(user)}"
        # Surrogates stand for bytes that are not UTF-8.
        return headers, self.of(made.body).encode("utf-8", "surrogateescape")

    def normalized(self, text: str) -> str:
        """The text without the name of this world; a booking's id becomes its number, and a time a word."""
        for booking_id in _ID.findall(text):
            self._bookings.setdefault(booking_id, f"booking-{len(self._bookings):028}")
        for booking_id, number in self._bookings.items():
            if booking_id in text:
                text = text.replace(booking_id, number)
        text = text.replace(self.word, _WORD).replace(self.word.upper(), _WORD.upper())
        return _TIME.sub('"a moment"', text)

    def number_of(self, booking_id: str) -> str:
        """The number of a booking that was in an answer before."""
        return self._bookings[booking_id]

    def _token(self, user: str) -> str:
        if user not in self._tokens:
            lifetime = -3600 if user.endswith("late") else 86_400
            self._tokens[user] = self.issuer.sign(user, lifetime_seconds=lifetime)
        return self._tokens[user]


def event_id(event: int) -> str:
    """The id of an event, with the word for the world."""
    return f"{_WORD}-0000-7000-8000-{event:012}"


def seat_id(event: int, place: int) -> str:
    """The id of a seat; of one that does not exist from SEATS on."""
    return f"{_WORD}-0000-7000-9000-{event:04}{place:08}"


def user_id(user: int) -> str:
    """The id of a user, with the word for the world."""
    return f"auth0|{_WORD}-{user}"


def requests(seed: int, count: int) -> Iterator[Made]:
    """`count` requests, always the same for a seed: some two thirds are valid, and of those some succeed."""
    maker = _Maker(Random(seed))
    return (maker.request() for _ in range(count))


def groups_of(size: int, made: Iterable[Made]) -> Iterator[list[Made]]:
    """The requests in groups of this size at most, none of which has two members whose order matters."""
    group: list[Made] = []
    for each in made:
        if len(group) == size or each.shares_with(group):
            yield group
            group = []
        group.append(each)
    yield group


@define
class _Maker:
    chance: Random
    keyed: list[Made] = field(factory=list, init=False)

    def request(self) -> Made:
        chance = self.chance
        if self.keyed and chance.random() < 0.12:
            return self._again(chance.choice(self.keyed))
        user = chance.randrange(USERS)
        event = chance.choice(ON_SALE) if chance.random() < 0.9 else chance.randrange(EVENTS)
        places = sorted(chance.sample(range(SEATS), chance.choice([1, 1, 2, 2, 3, 4, 10])))
        if chance.random() < 0.04:
            places = list(range(11))
        if chance.random() < 0.04:
            places[-1] += SEATS
        chance.shuffle(places)
        made = Made(self._headers(user), self._body(event, places), user, frozenset((event, place) for place in places))
        if "idempotency-key" in made.headers:
            self.keyed.append(made)
        return made

    def _again(self, made: Made) -> Made:
        """The same key: with the same body, the same in other words, or another body."""
        how = self.chance.random()
        if how < 0.5:
            return made
        if how < 0.75:
            return Made(made.headers, made.body.replace('":', '" :  '), made.user, made.seats)
        return Made(made.headers, self._body(0, [3]), made.user, frozenset({(0, 3)}))

    def _headers(self, user: int) -> dict[str, str]:
        chance = self.chance
        headers = {"content-type": "application/json", "authorization": f"Bearer signed:{user_id(user)}"}
        if chance.random() < 0.4:
            headers["x-correlation-id"] = f"c-{chance.randrange(10**9)}"
        if chance.random() < 0.3:
            headers["origin"] = "https://shop.example.com"
        if chance.random() < 0.4:
            headers["idempotency-key"] = f"key {chance.randrange(10**9)}"
        if chance.random() < 0.25:
            name, text = chance.choice(_ODD_HEADERS)
            headers.pop(name, None)
            headers |= {} if text is None else {name: text.format(user=user_id(user))}
        return headers

    def _body(self, event: int, places: list[int]) -> str:
        document: dict[str, Any] = {
            "eventId": event_id(event),
            "seatIds": [seat_id(event, place) for place in places],
        }
        form = self.chance.random()
        if form < 0.7:
            return json.dumps(document, separators=(",", ":"))
        if form < 0.8:
            return json.dumps(document, indent=2)
        return self._odd_body(document)

    def _odd_body(self, document: dict[str, Any]) -> str:
        text = json.dumps(document)
        odd: list[str] = [
            json.dumps(dict(reversed(document.items()))),
            text.replace(_WORD, _WORD.upper()),
            text.replace("-", ""),
            text.replace('"eventId": "', '"eventId": "urn:uuid:'),
            text[:-1] + ', "more": 1}',
            text[:-1] + ', "eventId": "' + document["eventId"] + '"}',
            json.dumps({"eventId": document["eventId"]}),
            json.dumps(document | {"seatIds": []}),
            json.dumps(document | {"seatIds": document["seatIds"] * 2}),
            json.dumps(document | {"seatIds": None}),
            text[:-1],
            "\ufeff" + text,
            text.replace("eventId", "event\\u0049d"),
            text.replace("eventId", "\udcffventId"),
            text + " " * 5000,
            text + " " * 70_000,
            "",
            "[]",
        ]
        return self.chance.choice(odd)


_ODD_HEADERS: Final[tuple[tuple[str, str | None], ...]] = (
    ("authorization", None),
    ("authorization", "bearer signed:{user}"),
    ("authorization", "BEARER   signed:{user}"),
    ("authorization", "Basic signed:{user}"),
    ("authorization", "Bearer signed:{user}-late"),
    ("authorization", "Bearer not.a.token"),
    ("authorization", "Bearer " + "x" * 9000),
    ("authorization", "\ufffd"),
    ("content-type", None),
    ("content-type", ""),
    ("content-type", "text/plain"),
    ("content-type", "Application/JSON ; charset=latin-1"),
    ("x-correlation-id", ""),
    ("x-correlation-id", "not a correlation id"),
    ("x-correlation-id", "\ufffd"),
    ("x-correlation-id", "x" * 128),
    ("x-correlation-id", "x" * 129),
    ("origin", "https://elsewhere.example.com"),
    ("origin", "null"),
    ("idempotency-key", ""),
    ("idempotency-key", "\ufffd"),
    ("idempotency-key", "x" * 255),
    ("idempotency-key", "x" * 256),
    ("idempotency_key", "no header of ours"),
    ("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
    ("accept", "text/html"),
    ("expect", "100-continue"),
)
