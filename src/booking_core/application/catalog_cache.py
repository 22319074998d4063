"""The catalog cache: events and seats of the Catalog in our database, so that reserving needs no HTTP call.

An unknown event is fetched while a few callers wait. An event in use is refreshed in the background when it is older
than 30 s. A decision about one that is older than 60 s asks the Catalog first, for a second at most, and uses what is
known if there is no answer. An event older than an hour is not sold before it was refreshed (design, section 7).
"""

from collections.abc import Callable, Collection, Hashable
from functools import partial
from typing import Final
from uuid import UUID

from attrs import define, field

from booking_core.application.catalog_refresh import CatalogRefresh
from booking_core.application.expiring_set import ExpiringSet
from booking_core.application.shared_fetches import NotWaited, SharedFetches, Wait
from booking_core.application.system_runtime import SYSTEM_RUNTIME
from booking_core.domain.errors import Failure
from booking_core.domain.policies import missing_seats
from booking_core.domain.reservation import ReservationFacts, SeatRequest
from booking_core.ports.catalog import Catalog
from booking_core.ports.reads import KnownEvent
from booking_core.ports.runtime import Runtime
from booking_core.ports.store import Store

_MOST_REFRESHING: Final = 500  # events that wait for the background; `later` never has to refuse or to run one


def run_at_once(job: Callable[[], None]) -> None:
    """Run a refresh now, in this thread."""
    job()


@define(eq=False)
class CatalogCache:
    """The database's copy of the Catalog, kept fresh. Safe to use from many threads.

    `store` commits by itself, never in a caller's transaction, because other transactions must see the rows at once.
    `catalog` is None without a Catalog Service: then only loaded events are known, and they do not age. `later` runs a
    refresh in the background. At most `most_waiting` callers wait for what is unknown, and as many for what is stale;
    the others get CatalogUnavailable at once. A failure is remembered for `failure_seconds`.
    """

    store: Store
    catalog: Catalog | None = None
    later: Callable[[Callable[[], None]], None] = run_at_once
    runtime: Runtime = SYSTEM_RUNTIME
    refresh_seconds: float = 30.0
    fresh_seconds: float = 60.0
    saleable_seconds: float = 3600.0
    unknown_seconds: float = 60.0
    load_seconds: float = 15.0  # the longest wait for what is unknown: a hall of 80,000 seats takes 5 to 10
    ask_seconds: float = 1.0  # the longest wait for what is stale
    failure_seconds: float = 5.0
    most_waiting: int = 4
    rows_per_transaction: int = 500  # short transactions: reservations of the event go on in between
    attempts: int = 3  # of a refresh that another process has overtaken
    _unknown: ExpiringSet = field(init=False)
    _answered: ExpiringSet = field(init=False)
    _unanswered: ExpiringSet = field(init=False)
    _unreliable: ExpiringSet = field(init=False)
    _fetches: SharedFetches = field(init=False)
    _refreshing: set[UUID] = field(factory=set, init=False)

    def __attrs_post_init__(self) -> None:
        self._unknown = ExpiringSet(seconds=self.unknown_seconds, limit=100_000, runtime=self.runtime)
        # What the questions of the last seconds have brought, until an event and all its seats are refreshed: the event
        # itself, or no answer in time. Unreliable are events whose latest question of the hour had no answer in time.
        self._answered = ExpiringSet(seconds=self.failure_seconds, limit=100_000, runtime=self.runtime)
        self._unanswered = ExpiringSet(seconds=self.failure_seconds, limit=100_000, runtime=self.runtime)
        self._unreliable = ExpiringSet(seconds=self.saleable_seconds, limit=100_000, runtime=self.runtime)
        self._fetches = SharedFetches(
            most_running=self.most_waiting,
            most_waiting=self.most_waiting,
            failure_seconds=self.failure_seconds,
            runtime=self.runtime,
        )

    # -- for a reservation ---------------------------------------------------------------------------------------------

    def failure_of(self, event_id: UUID) -> Failure | None:
        """The failure of a fetch without which the event cannot be sold, if it failed a moment ago. Without any I/O."""
        failure = None if self.catalog is None else self._fetches.failure_of(event_id)
        return failure if isinstance(failure, Failure) else None

    def needs_fetch(self, request: SeatRequest, facts: ReservationFacts) -> bool:
        """True if the Catalog is to be asked before this reservation is decided."""
        if self.catalog is None:
            return False
        if facts.event is None:
            return request.event_id not in self._unknown
        if facts.refreshed_at is None:
            return False
        age_seconds = (facts.now - facts.refreshed_at).total_seconds()
        if not self._is_saleable(age_seconds):
            return True
        if any((request.event_id, seat_id) not in self._unknown for seat_id in missing_seats(facts)):
            return True
        return self._asks_first(request.event_id, age_seconds)

    def is_stale(self, facts: ReservationFacts) -> bool:
        """True if the event should be refreshed in the background."""
        if self.catalog is None or facts.refreshed_at is None:
            return False
        return not self._is_recent((facts.now - facts.refreshed_at).total_seconds())

    def ensure_loaded(self, event_id: UUID, seat_ids: Collection[UUID] = ()) -> None:
        """Fetch what is not known yet, or not as it is now, while the caller waits; one fetch at a time per event.

        Afterwards the database knows the event and those seats, or their absence is cached for 60 s. What is known and
        stale is as the Catalog has it now, unless that did not answer. Raises CatalogUnavailable, ServiceBusy.
        """
        if self.catalog is None:
            return
        known = self.store.reads.event(event_id)
        if known is None:
            if event_id not in self._unknown:
                self._load(event_id, event_id, partial(self._load_event, event_id))
        elif known.age_seconds is None:
            return
        elif not self._is_saleable(known.age_seconds):
            self._load(event_id, event_id, partial(self._load_event, event_id))
        elif not known.complete and not seat_ids:
            self._load(event_id, (event_id, "hall"), partial(self._load_event, event_id))
        else:
            if self._asks_first(event_id, known.age_seconds):
                self._ask(event_id)
            if missing := [seat_id for seat_id in seat_ids if (event_id, seat_id) not in self._unknown]:
                self._load(event_id, (event_id, "seats"), partial(self._fetch_seats, event_id, missing))

    def ensure_fresh(self, event_id: UUID) -> bool:
        """Ask for an event that is stale, however old, and wait a second at most; False if there was no answer.

        An unknown event is fresh. Raises CatalogUnavailable if too many callers wait.
        """
        known = None if self.catalog is None else self.store.reads.event(event_id)
        if known is None or self._is_known_now(known):
            return True
        if event_id not in self._answered and event_id not in self._unanswered:
            self._ask(event_id)
        asked = self.store.reads.event(event_id)
        return asked is None or event_id in self._answered or self._is_known_now(asked)

    def is_fresh(self, known: KnownEvent) -> bool:
        """True if the event needs no refresh; an event that was loaded from a file never does."""
        return known.age_seconds is None or self._is_recent(known.age_seconds)

    def _is_recent(self, age_seconds: float) -> bool:
        # A negative age (the clock was set back) counts as stale.
        return 0 <= age_seconds <= self.refresh_seconds

    def _is_known_now(self, known: KnownEvent) -> bool:
        return known.age_seconds is None or 0 <= known.age_seconds <= self.fresh_seconds

    def _is_saleable(self, age_seconds: float) -> bool:
        return abs(age_seconds) <= self.saleable_seconds

    def _asks_first(self, event_id: UUID, age_seconds: float) -> bool:
        is_fresh = 0 <= age_seconds <= self.fresh_seconds or event_id in self._answered
        return not is_fresh and event_id not in self._unanswered

    def _load(self, event_id: UUID, purpose: Hashable, fetch: Callable[[], object]) -> None:
        self._fetches.wait(event_id, purpose, fetch, kind=Wait.UNKNOWN, seconds=self.load_seconds)

    def _ask(self, event_id: UUID) -> None:
        """Ask for a stale event; without an answer in time, what is known is used, and nothing asked for seconds.

        Raises NotWaited if too many callers wait, unless the Catalog did not answer the last time either.
        """
        refresh = partial(self._refresh_if_stale, event_id)
        try:
            self._fetches.wait(event_id, (event_id, "stale"), refresh, kind=Wait.KNOWN, seconds=self.ask_seconds)
        except NotWaited:
            if event_id not in self._unreliable:
                raise
        except Failure:
            self._unanswered.add(event_id)
            self._unreliable.add(event_id)

    # -- refreshing ----------------------------------------------------------------------------------------------------

    def refresh_later(self, event_id: UUID) -> None:
        """Refresh the event in the background, unless it is being refreshed or that has just failed; logs failures."""
        purpose = (event_id, "stale")
        if self.catalog is None or event_id in self._refreshing or self._fetches.failure_of(purpose) is not None:
            return
        if len(self._refreshing) >= _MOST_REFRESHING:
            return  # the next use of the event tries again
        self._refreshing.add(event_id)
        self.later(partial(self._refresh_in_background, event_id, purpose))

    def refresh(self, event_id: UUID) -> int:
        """Fetch the event and all its seats, write what changed in small transactions, and return the number of seats.

        An event that the Catalog no longer has is withdrawn from sale; the absence of an unknown one is cached. What
        is known of the event is written, also if its seats cannot be read. Raises CatalogUnavailable, ServiceBusy.
        """
        if self.catalog is None:
            return 0
        seats = self._refresh(self.catalog).event(event_id)
        for latest in (self._answered, self._unanswered, self._unreliable):
            latest.discard(event_id)
        if seats is None:
            self._unknown.add(event_id)
            return 0
        self._unknown.discard(event_id)
        return seats

    def _refresh(self, catalog: Catalog) -> CatalogRefresh:
        return CatalogRefresh(
            self.store, catalog, self.runtime, self.rows_per_transaction, self.attempts, self._answered.add
        )

    def _refresh_in_background(self, event_id: UUID, purpose: Hashable) -> None:
        try:
            self._fetches.run_here(event_id, purpose, partial(self._refresh_if_stale, event_id))
        finally:
            self._refreshing.discard(event_id)

    def _refresh_if_stale(self, event_id: UUID) -> None:
        known = self.store.reads.event(event_id)
        if known is None or not self.is_fresh(known):
            self.refresh(event_id)

    def _load_event(self, event_id: UUID) -> None:
        """Refresh the event, unless another process has done so meanwhile."""
        known = self.store.reads.event(event_id)
        is_loaded = known is not None and (
            known.age_seconds is None or (known.complete and self._is_saleable(known.age_seconds))
        )
        if not is_loaded:
            self.refresh(event_id)

    def _fetch_seats(self, event_id: UUID, missing: Collection[UUID]) -> None:
        known = self.store.reads.event(event_id)
        if self.catalog is not None and known is not None:
            for seat_id in self._refresh(self.catalog).seats(known.event, list(missing)):
                self._unknown.add((event_id, seat_id))
