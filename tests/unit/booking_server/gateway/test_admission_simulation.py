"""Admission control in thousands of simulated seconds: closed and open loops, bursts and pauses."""

from random import Random

import pytest

from booking_server.gateway.admission_control import AdmissionControl, ControlLimits
from tests.unit.booking_server.gateway.admission_simulation import (
    Groups,
    Service,
    Simulation,
    Threads,
    moments_after,
    percentile,
    waits_after,
)

FEW, MANY, GROUPS = Threads(parallel=2), Threads(parallel=6, mean=0.024), Groups()
# A rejection may use 100 us of CPU; 50 us is the aim, and at 5 times what groups serve 100 us would leave no CPU.
REJECTION_CPU = {FEW: 100e-6, MANY: 100e-6, GROUPS: 50e-6}


@pytest.mark.parametrize("keeps_token", [True, False])
@pytest.mark.parametrize("pause", [0.2, 1.0])
@pytest.mark.parametrize(
    ("service", "clients"),
    [(FEW, 16), (FEW, 32), (FEW, 37), (MANY, 64), (MANY, 92), (GROUPS, 16), (GROUPS, 64), (GROUPS, 256), (GROUPS, 604)],
)
def test_a_closed_loop_recovers_from_a_pause(
    service: Service, clients: int, pause: float, *, keeps_token: bool
) -> None:
    """Up to 0.37 s of work wait. After the pause each client retries at once."""
    simulation = Simulation(service)
    simulation.closed_loop(clients, keeps_token=keeps_token)
    simulation.run(3.0)
    assert simulation.rejected == []

    simulation.pause(pause)
    simulation.run(pause + 6.0)
    assert waits_after(3.0 + pause + 3.0, simulation.rejected) == []
    assert len(waits_after(3.0 + pause + 3.0, simulation.accepted)) == pytest.approx(
        3.0 * min(service.best, clients / 0.0248), rel=0.1
    )


def test_two_hundred_pauses_leave_no_lasting_rejections() -> None:
    """A pause of 0.2 s to 1 s every 10 s. Each rejects the clients that wait then, and few of them twice."""
    simulation, random = Simulation(FEW), Random(2)
    simulation.closed_loop(32)
    for _ in range(200):
        simulation.pause(random.uniform(0.2, 1.0))
        simulation.run(10.0)

    late = [at for at in moments_after(0.0, simulation.rejected) if at % 10.0 > 4.0]
    assert late == []
    assert len(simulation.rejected) < 200 * 32 * 2


@pytest.mark.parametrize("service", [FEW, MANY, GROUPS])
def test_more_clients_than_the_limit_serves_cost_little_throughput(service: Service) -> None:
    accepted = {}
    for forgives in (True, False):
        limits = ControlLimits() if forgives else ControlLimits(retry_within=-1.0, retry_on_connection_within=-1.0)
        simulation = Simulation(service, AdmissionControl(limits))
        simulation.closed_loop(1000)
        simulation.run(4.0)
        accepted[forgives] = len(waits_after(1.0, simulation.accepted)) / 3.0 / service.best

    assert accepted[True] > 0.7
    assert accepted[True] > 1.2 * accepted[False]  # retries that are rejected at once use up to half of the CPU


@pytest.mark.parametrize("service", [FEW, MANY, GROUPS])
@pytest.mark.parametrize("times", [0.5, 0.8])
def test_an_open_loop_that_can_be_served_is_served(service: Service, times: float) -> None:
    simulation = Simulation(service)
    simulation.open_loop(times * service.best)
    simulation.run(10.0)

    assert simulation.rejected == []
    assert len(simulation.accepted) == pytest.approx(10.0 * times * service.best, rel=0.1)


@pytest.mark.parametrize(
    ("service", "times", "least", "returns"),
    [
        *((service, times, 0.9, False) for service in (FEW, MANY, GROUPS) for times in (1.1, 1.5, 2.0)),
        *((service, times, 0.84, True) for service in (FEW, MANY, GROUPS) for times in (1.1, 1.5, 2.0)),
        (FEW, 5.0, 0.9, False),
        (MANY, 5.0, 0.85, False),
        (GROUPS, 5.0, 0.8, False),
        (FEW, 10.0, 0.85, False),
        (MANY, 10.0, 0.7, False),
    ],
)
def test_an_open_loop_is_served_at_nearly_the_best_rate(
    service: Service, times: float, least: float, *, returns: bool
) -> None:
    """What is missing is the CPU of the rejections: at 10 times what `MANY` serves 23 %."""
    simulation = Simulation(service, rejection_cpu=REJECTION_CPU[service])
    simulation.open_loop(times * service.best, returns=returns)
    simulation.run(8.0)

    accepted = len(waits_after(2.0, simulation.accepted)) / 6.0 / service.best
    assert accepted > least
    assert percentile(waits_after(2.0, simulation.accepted), 0.95) <= 0.45
    assert times < 2.0 or percentile(waits_after(2.0, simulation.rejected), 0.95) <= 0.05


def test_a_burst_on_an_idle_service_is_served() -> None:
    simulation = Simulation(GROUPS)
    simulation.burst(200)
    simulation.run(1.0)

    assert (len(simulation.accepted), simulation.rejected) == (200, [])


@pytest.mark.parametrize(("service", "burst"), [(FEW, 28), (MANY, 70), (GROUPS, 200)])
def test_a_burst_on_a_service_in_use_is_served(service: Service, burst: int) -> None:
    simulation = Simulation(service)
    simulation.closed_loop(8)
    simulation.run(3.0)
    simulation.burst(burst)
    simulation.run(1.0)

    assert simulation.rejected == []


def test_an_overload_leaves_nothing_behind() -> None:
    """10 s of five times the load, beside clients that the service can serve."""
    simulation = Simulation(FEW)
    simulation.closed_loop(32)
    simulation.open_loop(5 * FEW.best, until=10.0)
    simulation.run(17.0)

    assert simulation.overloaded
    assert max(simulation.overloaded) < 13.0
    assert waits_after(13.0, simulation.rejected) == []
