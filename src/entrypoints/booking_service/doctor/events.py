"""The check of the events that the service knows: can they and their seats be read from the Catalog?"""

from collections.abc import Iterator
from typing import Final

from booking_core.domain.errors import BookingError
from booking_core.domain.values import SaleStatus
from booking_core.ports import Catalog, Finding, Grade, KnownEvent, Page, Store

CHECK: Final = "catalog events"
_MOST: Final = 500  # events that are looked at, those that start first
_MOST_ASKED: Final = 3  # a hall of a stadium takes seconds
# In use, an event is refreshed every half minute. One that is older may have had no customer, or no answer.
_STALE_SECONDS: Final = 600.0


def check_events(store: Store, catalog: Catalog) -> Iterator[Finding]:
    """Ask the Catalog for events on sale that were not refreshed for a while, and yield what is wrong with them."""
    try:
        now, known = store.reads.now(), store.reads.events(Page(limit=_MOST)).items
    except BookingError:
        return  # the check of the database reports it
    stale = [each for each in known if each.event.starts_at > now and _is_stale(each)]
    # Those whose seats were never read come first.
    asked = sorted(stale, key=lambda each: (each.complete, -(each.age_seconds or 0.0)))[:_MOST_ASKED]
    problems = [(each, problem) for each in asked if (problem := _problem_of(each, catalog))]
    if not problems:
        return
    each, problem = problems[0]
    more = f"; {len(problems) - 1} more events cannot be read" if len(problems) > 1 else ""
    outcome = "is sold for an hour after its last refresh" if each.complete else "cannot be sold as a whole"
    yield Finding(
        check=CHECK,
        grade=Grade.WARNING if each.complete else Grade.TROUBLE,
        found=f"event {each.event.event_id} cannot be read: {problem}{more}",
        advice=f"it {outcome}; mend it in the Catalog Service, then `booking catalog sync {each.event.event_id}`",
    )


def _is_stale(known: KnownEvent) -> bool:
    if known.closed or known.age_seconds is None or known.event.status is not SaleStatus.ON_SALE:
        return False
    return not known.complete or known.age_seconds > _STALE_SECONDS


def _problem_of(known: KnownEvent, catalog: Catalog) -> str:
    """What is wrong with the Catalog's answers for this event; empty if nothing is."""
    try:
        event = catalog.event(known.event.event_id)
        if event is not None:
            catalog.seats(event)
    except BookingError as error:
        return str(error.__cause__ or error)
    return ""
