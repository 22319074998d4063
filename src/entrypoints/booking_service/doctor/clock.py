"""Whether our clock and the database's tell the same time."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

from booking_core.ports import Finding, Grade, Store

CHECK: Final = "clock"
# Tokens are judged by our clock, with so much leeway (`TokenVerifier`); everything else by the database's.
_TOKENS_SUFFER_SECONDS: Final = 30.0
_NOTEWORTHY_SECONDS: Final = 2.0

Clock = Callable[[], datetime]


def our_clock() -> datetime:
    """This machine's, in UTC."""
    return datetime.now(UTC)


def clock_finding(store: Store, clock: Clock = our_clock) -> Finding:
    """How far apart they are, give or take half of how long the database took to answer. Raises BookingError."""
    before = clock()
    theirs = store.queries.now()
    after = clock()
    skew = (before + (after - before) / 2 - theirs).total_seconds()
    away, doubt = abs(skew), (after - before).total_seconds() / 2
    found = f"ours is {away:.3f} s {'ahead of' if skew >= 0 else 'behind'} the database's, give or take {doubt:.3f} s"
    if away - doubt <= _NOTEWORTHY_SECONDS:
        return Finding(check=CHECK, grade=Grade.OK, found=found)
    advice = "have both machines follow the same time servers (NTP)"
    if away - doubt <= _TOKENS_SUFFER_SECONDS:
        return Finding(check=CHECK, grade=Grade.WARNING, found=found, advice=advice)
    found += ": good tokens are refused, or stale ones taken"
    return Finding(check=CHECK, grade=Grade.TROUBLE, found=found, advice=advice)
