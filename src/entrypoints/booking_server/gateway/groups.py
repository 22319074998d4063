"""Groups of reservations: when one runs, and how its members get from a request to a response (ADR 0032).

All of it runs on the event loop, which nothing here blocks.
"""

from asyncio import AbstractEventLoop, Task
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, Protocol

import structlog
from attrs import define, field, frozen
from prometheus_client import CollectorRegistry

from booking_api.gateway_reservations import GatewayReservation, GatewayReservations
from booking_api.gateway_responses import GatewayResponse
from booking_core import CatalogCache, GroupFailure, Terms
from booking_core.application.reserve_group import Outcome, reserve_group_on
from booking_core.ports import Deferral, EventLoopStore, GroupStore, Runtime
from booking_server.gateway.coalescing import PendingRequest
from booking_telemetry import metric_specs

_log = structlog.get_logger(__name__)

# Failures that are part of normal work under load; the others mean that something is wrong.
_EXPECTED: Final = frozenset({GroupFailure.REPEATED})
Reserve = Callable[[Sequence[PendingRequest]], Awaitable[list[Outcome]]]
"""Reserves a group; the outcomes are in the order of its members."""


@frozen(kw_only=True)
class GroupLimits:
    """How large groups are, and when a second one may run beside the first."""

    size: int = 32
    """Most members."""
    connections: int = 1
    """Connections that are kept for groups: 1 or 2."""
    small: int = 2
    """With two connections, most members of a group that a second one need not wait for: with few customers each has
    a transaction at once, and with many the next group is larger and serves more."""
    late_after: float = 0.5
    """Seconds after which a second group may run in any case: the connection of the first may be stuck."""


class Grouping(Protocol):
    """What the queue needs for groups of reservations. Used on the event loop, which nothing here blocks."""

    @property
    def limits(self) -> GroupLimits: ...

    def understood(self, pending: PendingRequest) -> GatewayReservation | None:
        """The reservation; None for a request that only the application can respond to."""
        ...

    async def reserve(self, members: Sequence[PendingRequest]) -> list[Outcome]:
        """Reserve a group; the outcomes are in the order of its members."""
        ...

    def respond(self, member: PendingRequest, outcome: Outcome) -> GatewayResponse:
        """Return the response to an outcome that is no Deferral."""
        ...

    def leave(self, pending: PendingRequest, deferral: Deferral | None) -> None:
        """Forget the reservation of a request that the application responds to after all, or that is rejected."""
        ...


@define(eq=False)
class GroupRunner:
    """Runs one group at a time, and a second one only while the first is small or late. What waits is the next group.

    `completed` gets the members and their outcomes; `dispatch` is called when a group may start.
    """

    reserve: Reserve
    loop: AbstractEventLoop
    runtime: Runtime
    limits: GroupLimits
    completed: Callable[[Sequence[PendingRequest], Sequence[Outcome]], None]
    dispatch: Callable[[], None]
    _running: dict[object, tuple[float, int]] = field(factory=dict, init=False)
    """When each group began and how many members it has, the oldest first."""
    _tasks: "set[Task[None]]" = field(factory=set, init=False)
    """A task that nothing refers to would be collected."""

    @property
    def may_start(self) -> bool:
        """Whether another group may start now."""
        if not self._running:
            return True
        [(began, size), *others] = self._running.values()
        if others:
            return False
        is_small = self.limits.connections > 1 and size <= self.limits.small
        return is_small or self.runtime.monotonic() - began >= self.limits.late_after

    def start(self, members: Sequence[PendingRequest]) -> None:
        """Start a group of these members."""
        began = self.runtime.monotonic()
        for member in members:
            member.started = began
        group = object()
        self._running[group] = began, len(members)
        task = self.loop.create_task(self._run(group, members))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _run(self, group: object, members: Sequence[PendingRequest]) -> None:
        # A little later than the limit, because it is measured by another clock.
        timer = self.loop.call_later(self.limits.late_after * 1.01, self.dispatch)
        outcomes: Sequence[Outcome]
        try:
            outcomes = await self.reserve(members)
        except Exception as error:  # a bug: each member gets INTERNAL_ERROR
            outcomes = [error] * len(members)
        timer.cancel()
        del self._running[group]
        self.completed(members, outcomes)


class GroupMetrics:
    """The metrics of groups in `registry`."""

    def __init__(self, registry: CollectorRegistry) -> None:
        deferred = metric_specs.DEFERRED_RESERVATIONS.counter(registry)
        failures = metric_specs.GROUP_FAILURES.counter(registry)
        self.deferred = {each: deferred.labels(each.value) for each in Deferral}
        self.failures = {each: failures.labels(each.value) for each in GroupFailure}
        self._sizes = metric_specs.GROUP_SIZES.histogram(registry)
        self._seconds = metric_specs.GROUP_SECONDS.histogram(registry)

    def reserved(self, members: int, seconds: float) -> None:
        """Record a group that has ended."""
        self._sizes.observe(members)
        self._seconds.observe(seconds)


@frozen(kw_only=True)
class GroupSetUp:
    """What groups need of the service. The metrics are registered once, in `registry`."""

    reservations: GatewayReservations
    store: EventLoopStore
    catalog_cache: CatalogCache
    terms: Terms
    registry: CollectorRegistry
    limits: GroupLimits


@define(eq=False)
class GroupedReservations:
    """See `Grouping`."""

    set_up: GroupSetUp
    groups: GroupStore
    runtime: Runtime
    metrics: GroupMetrics

    @property
    def limits(self) -> GroupLimits:
        return self.set_up.limits

    def understood(self, pending: PendingRequest) -> GatewayReservation | None:
        assert pending.intent is not None  # noqa: S101 - only reservations wait for a group
        return self.set_up.reservations.understood(pending.request, pending.intent.body)

    async def reserve(self, members: Sequence[PendingRequest]) -> list[Outcome]:
        reservations = [member.reservation for member in members if member.reservation is not None]
        began = self.runtime.monotonic()
        with self.set_up.reservations.group_span(reservations):
            outcomes = await reserve_group_on(
                self.groups,
                [each.reservation for each in reservations],
                catalog_cache=self.set_up.catalog_cache,
                terms=self.set_up.terms,
                runtime=self.runtime,
                on_failure=self._failed,
            )
        self.metrics.reserved(len(members), self.runtime.monotonic() - began)
        return outcomes

    def respond(self, member: PendingRequest, outcome: Outcome) -> GatewayResponse:
        reservation, member.reservation = member.reservation, None
        assert reservation is not None and not isinstance(outcome, Deferral)  # noqa: S101, PT018 - see Grouping
        return self.set_up.reservations.response(reservation, outcome, started=member.started)

    def leave(self, pending: PendingRequest, deferral: Deferral | None) -> None:
        reservation, pending.reservation = pending.reservation, None
        if reservation is not None:
            pending.environ = self.set_up.reservations.deferred(reservation)
        if deferral is not None:
            self.metrics.deferred[deferral].inc()

    def _failed(self, failure: GroupFailure, error: Exception) -> None:
        self.metrics.failures[failure].inc()
        if failure not in _EXPECTED:
            _log.warning("group.failed", failure=failure.value, error=type(error).__name__, detail=str(error))
