"""Admission control: the rule by which a request is rejected at once (ADR 0029).

A pure rule: no I/O, no thread, and the caller passes the time in seconds. The admission queue consults it only while
requests are queued, so an uncontended request never reaches it.
"""

from typing import Final

from attrs import define, field, frozen

# Seconds of queued work that the service rate remembers.
_MEMORY: Final = 1.0
# Seconds. A longer interval is a pause of the machine and says nothing about the next requests.
_LONGEST_INTERVAL: Final = 0.1
# Completions before the first estimate: a process that has just started opens connections and fetches keys.
_WARM_UP: Final = 50


@frozen
class Client:
    """What a retry is recognised by; an empty text recognises nothing."""

    token: str
    connection: str


@frozen(kw_only=True)
class ControlLimits:
    """The numbers of the rule. Times are in seconds."""

    longest_estimated_wait: float = 0.4
    """Reject a request whose estimated wait exceeds this: the 0.5 s of NFR-01 less the service's own time."""
    longest_wait_if_overloaded: float = 0.2
    """The limit in overload mode: a longer queue would make responses later and not more."""
    standing_after: float = 0.05
    """Reject nothing until the oldest request has waited this long. A burst is younger, and it passes."""
    window: float = 0.5
    """Length of the windows in which arrivals and completions are compared."""
    windows: int = 2
    """Overloaded windows in a row that start overload mode. A burst fills one."""
    overload_ratio: float = 1.25
    """Arrivals for each completion from which a window without rejections is overloaded."""
    overload_ratio_if_rejecting: float = 2.0
    """The same with rejections: a rejected client that returns arrives twice."""
    calm_after: float = 1.0
    """Overload mode ends this long after the last rejection."""
    longest_overload: float = 2.0
    """Overload mode ends after this at the latest, and two windows may start it anew. A client with a new token and a
    new connection for each retry is not recognised, and would otherwise keep it on."""
    retry_within: float = 1.0
    """A request with the token of one that was rejected this recently is a retry: `Retry-After` is 1 s or more."""
    retry_on_connection_within: float = 0.05
    """The same for the connection. Shorter, because a proxy sends the requests of many clients over one."""
    remembered: int = 10_000
    """Tokens and connections that are remembered, in some 10 MB at most; beyond that the oldest is forgotten."""


@define(eq=False)
class ServiceRateEstimator:
    """Estimates how long a queued request will wait. Measures while requests are queued: an idle service has no rate.

    It divides completions by the time that they took, and does not average intervals: a group of requests completes at
    one moment.
    """

    _seconds: float = field(default=0.0, init=False)
    _completions: float = field(default=0.0, init=False)
    _measured: int = field(default=0, init=False)
    _last: float | None = field(default=None, init=False)

    def completed(self, now: float, number: int, *, are_others_queued: bool) -> None:
        """Record that requests have completed."""
        if self._last is not None:
            seconds = min(now - self._last, _LONGEST_INTERVAL)
            kept = 1.0 - seconds / _MEMORY
            self._seconds = self._seconds * kept + seconds
            self._completions = self._completions * kept + number
            self._measured += number
        self._last = now if are_others_queued else None

    def estimated_wait(self, queued: int) -> float:
        """Seconds until so many requests have completed; 0 without an estimate."""
        if self._last is None or self._measured < _WARM_UP:
            return 0.0
        return queued * self._seconds / self._completions


@define(eq=False)
class AdmissionControl:
    """Rejects requests that would wait too long, more strictly in lasting overload, and forgives retries.

    A client that retries at once, rejected at once each time, would use the CPU that its own request needs: service
    slows down, more requests are rejected, and the overload outlasts its cause. So a retry is queued instead, until it
    starts or expires, and is not counted as an arrival.
    """

    limits: ControlLimits = field(factory=ControlLimits)
    rate: ServiceRateEstimator = field(factory=ServiceRateEstimator)
    _arrivals: int = field(default=0, init=False)
    _completions: int = field(default=0, init=False)
    _rejections: int = field(default=0, init=False)
    _window_ends: float = field(default=0.0, init=False)
    _overloaded_windows: int = field(default=0, init=False)
    _overloaded_since: float | None = field(default=None, init=False)
    _rejected_at: float = field(default=0.0, init=False)
    _rejected: dict[str, float] = field(factory=dict, init=False)
    """When each token and connection was rejected last, the oldest first."""

    @property
    def is_overloaded(self) -> bool:
        """Whether the rule is in overload mode."""
        return self._overloaded_since is not None

    def admits(self, now: float, *, ahead: int, oldest: float, client: Client) -> bool:
        """Whether to queue a request behind `ahead` queued or running others; `oldest` is the age of the oldest one."""
        self._advance(now)
        is_retry = self._is_retry(now, client)
        limit = self.limits.longest_wait_if_overloaded
        if not self.is_overloaded:
            limit = float("inf") if is_retry else self.limits.longest_estimated_wait
        self._arrivals += not is_retry
        return oldest < self.limits.standing_after or self.rate.estimated_wait(ahead) <= limit

    def rejected(self, now: float, client: Client) -> None:
        """Record that a request was rejected: because of `admits`, or because it has expired in the queue."""
        self._rejections += 1
        self._rejected_at = now
        for key in (client.token, client.connection):
            self._rejected.pop(key, None)
            self._rejected[key] = now
        while len(self._rejected) > self.limits.remembered:
            del self._rejected[next(iter(self._rejected))]

    def completed(self, now: float, number: int = 1, *, are_others_queued: bool) -> None:
        """Record that requests have completed while others were queued."""
        self.rate.completed(now, number, are_others_queued=are_others_queued)
        self.answered(now, number)

    def answered(self, now: float, number: int) -> None:
        """Record responses that took no service of their own: those of followers."""
        self._advance(now)
        self._completions += number

    def _is_retry(self, now: float, client: Client) -> bool:
        if not self._rejected:
            return False
        by_token = bool(client.token) and self._was_rejected(client.token, now - self.limits.retry_within)
        return by_token or (
            bool(client.connection)
            and self._was_rejected(client.connection, now - self.limits.retry_on_connection_within)
        )

    def _was_rejected(self, key: str, since: float) -> bool:
        return self._rejected.get(key, float("-inf")) >= since

    def _advance(self, now: float) -> None:
        """End the window and overload mode if it is time."""
        limits, since = self.limits, self._overloaded_since
        if since is not None and now >= min(
            max(since, self._rejected_at) + limits.calm_after, since + limits.longest_overload
        ):
            self._overloaded_since, self._overloaded_windows = None, 0
        if now < self._window_ends:
            return
        ratio = limits.overload_ratio_if_rejecting if self._rejections else limits.overload_ratio
        is_overloaded = self._arrivals > 0 and self._arrivals >= ratio * self._completions
        # A window that nothing has ended in time was followed by one without any request.
        is_in_a_row = now < self._window_ends + limits.window
        self._overloaded_windows = (self._overloaded_windows * is_in_a_row + 1) if is_overloaded else 0
        if self._overloaded_windows >= limits.windows and since is None:
            self._overloaded_since = now
        self._arrivals = self._completions = self._rejections = 0
        self._window_ends = now + limits.window
        self._forget(now - limits.retry_within)

    def _forget(self, before: float) -> None:
        while self._rejected:
            oldest = next(iter(self._rejected))
            if self._rejected[oldest] >= before:
                break
            del self._rejected[oldest]
