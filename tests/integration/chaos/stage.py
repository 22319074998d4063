"""One hall, its database, its three topics and its consumer group: what a round of killing has to itself."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Final, Self
from uuid import UUID, uuid4

from attrs import define, field

from booking_core.application import reserve
from booking_core.domain.booking import Booking
from booking_core.domain.commands import Reserve
from booking_core.domain.errors import Failure
from booking_core.domain.values import SaleStatus, Seat, Terms, TicketedEvent
from booking_core.ports import EventBus, Store
from booking_postgres.adapter import create
from booking_service.catalog_file import LoadedEvent, load_event
from tests.integration.chaos.programs import Program
from tests.support.kafka.fixtures import make_topic
from tests.support.kafka.readers import bus_at
from tests.support.processes import environment

PRICE: Final = Decimal("75.00")
CURRENCY: Final = "USD"
_SEATS_OF_AN_EVENT: Final = 500
_CONNECTIONS: Final = 6
# No round is so long that a hold expires of its own: what a booking becomes depends on its messages alone.
_TERMS: Final = Terms(payment_window=timedelta(days=1))


def until(holds: Callable[[], bool], what: str, *, patience: float = 60.0, every: float = 0.05) -> None:
    """Wait until it holds; what is down meanwhile counts as no. Fails after `patience` seconds."""
    give_up_at = time.monotonic() + patience
    while not _holds(holds):
        assert time.monotonic() < give_up_at, f"waited in vain for {patience:.0f} s until {what}"
        time.sleep(every)


def _holds(holds: Callable[[], bool]) -> bool:
    try:
        return holds()
    except Failure:
        return False


@define(kw_only=True, eq=False, repr=False)
class Stage:
    """What the programs share, and the programs. `seats` that nobody has asked for yet are taken from the end."""

    url: str
    servers: str
    directory: Path
    store: Store
    bus: EventBus
    events_topic: str
    payments_topic: str
    letters_topic: str
    group: str
    seats: list[tuple[UUID, UUID]]
    programs: list[Program] = field(factory=list)

    @classmethod
    @contextmanager
    def at(cls, url: str, servers: str, directory: Path, *, events: int = 4) -> Iterator[Self]:
        """The stage in an empty database, with 500 seats for each event; at the end no program of it runs."""
        store = create({"BOOKING_DATABASE_URL": url, "BOOKING_DB_CONNECTIONS": str(_CONNECTIONS)})
        store.upkeep.migrate()
        bus = bus_at(servers)
        stage = cls(
            url=url,
            servers=servers,
            directory=directory,
            store=store,
            bus=bus,
            events_topic=make_topic(servers),
            payments_topic=make_topic(servers),
            letters_topic=make_topic(servers),
            group=f"chaos.{uuid4()}",
            seats=[seat for _ in range(events) for seat in _open_event(store)],
        )
        try:
            yield stage
        finally:
            for program in stage.programs:
                print(program.describe())  # pytest shows it if the test has failed
                program.kill()
            bus.close()
            store.close()

    def program(self, *command: str, **more: str) -> Program:
        """Another program over this stage, not yet started; keywords are of its environment."""
        named = {
            "BOOKING_EVENT_BUS": "kafka",
            "BOOKING_KAFKA_BOOTSTRAP_SERVERS": self.servers,
            "BOOKING_EVENTS_TOPIC": self.events_topic,
            "BOOKING_PAYMENTS_TOPIC": self.payments_topic,
            "BOOKING_DEAD_LETTER_TOPIC": self.letters_topic,
            "BOOKING_CONSUMER_GROUP": self.group,
        }
        program = Program(
            f"{command[0]}-{len(self.programs)}",
            *command,
            environment=environment(self.url, **{**named, **more}),
            directory=self.directory,
        )
        self.programs.append(program)
        return program

    def reserve(self, seat: tuple[UUID, UUID]) -> Booking:
        """Hold this seat for a customer of its own. Raises ServiceBusy: then nobody knows what became of it."""
        event_id, seat_id = seat
        command = Reserve(user_id=f"user-{seat_id}", event_id=event_id, seat_ids=(seat_id,), correlation_id="chaos")
        return reserve(command, store=self.store, terms=_TERMS)

    def unpublished(self) -> int:
        """How many events wait for a relay."""
        return self.store.reads.statistics().outbox

    def unconsumed(self) -> int:
        """How many messages of the Payment Service wait for a consumer to commit them."""
        return sum(map(len, self.bus.backlog(self.payments_topic, self.group).values()))

    def settle(self, *, patience: float = 60.0) -> None:
        """Return when all messages are consumed and all events published. Fails at once if a program met a bug."""
        # In this order: what is consumed leads to events. Asking the brokers costs a connection each time.
        until(lambda: self._works() and not self.unconsumed(), "all is consumed", patience=patience, every=0.25)
        until(lambda: self._works() and not self.unpublished(), "all is published", patience=patience)

    def _works(self) -> bool:
        for program in self.programs:
            program.assert_no_bugs()
        return True


def _open_event(store: Store) -> list[tuple[UUID, UUID]]:
    event = TicketedEvent(
        event_id=uuid4(),
        name="A concert",
        starts_at=datetime.now(UTC) + timedelta(days=40),
        status=SaleStatus.ON_SALE,
        currency=CURRENCY,
    )
    seats = [Seat(seat_id=uuid4(), row="A", number=n, price=PRICE) for n in range(1, _SEATS_OF_AN_EVENT + 1)]
    load_event(LoadedEvent(event, seats), store=store)
    return [(event.event_id, seat.seat_id) for seat in seats]
