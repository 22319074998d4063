"""How long commands take to start, and how much memory the two that run for ever have."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Final
from uuid import uuid4

from benchmarks.environment import programs, services
from benchmarks.environment.ground import Ground
from benchmarks.environment.programs import Program
from benchmarks.errors import BenchmarkFailed
from benchmarks.load import reserving, wrk
from benchmarks.measuring.processes import Memory, memory_of
from benchmarks.measuring.scenario import Figures, Measure, Run, Scale, Scenario

_NAME: Final = "start_up"
_LOAD_SECONDS: Final = 3
_READY_SECONDS: Final = 30.0
_LOOK_AGAIN_SECONDS: Final = 0.01
# What it does once after its start is over by then.
_IDLE_SECONDS: Final = 2.0


@contextmanager
def _ready(ground: Ground, scale: Scale) -> Iterator[Run]:
    wrk.path()
    with ground.migrated(f"{_NAME}_empty") as empty, ground.migrated(_NAME) as prepared:
        events = reserving.free_events(prepared, _LOAD_SECONDS * reserving.MOST_PER_SECOND)
        yield partial(_run, ground, scale, empty, reserving.requests_file(ground, _NAME, events))


def _run(ground: Ground, scale: Scale, empty: str, requests: Path) -> Figures:
    figures = {"booking --help": _seconds_of(empty, "--help"), "booking expire": _seconds_of(empty, "expire")}
    return figures | _serve(ground, scale, requests) | _worker(ground, empty)


def _seconds_of(url: str, *arguments: str) -> float:
    began = time.monotonic()
    programs.booking(url, *arguments)
    return time.monotonic() - began


def _serve(ground: Ground, scale: Scale, requests: Path) -> dict[str, float]:
    with ground.copy(_NAME) as url:
        settings = ground.token_settings
        began = time.monotonic()
        with services.starting(url, **settings) as service:
            program = service.program
            seconds = _until_ready(service.address, program, began)
            services.await_ready(service)
            time.sleep(_IDLE_SECONDS)
            idle = memory_of(program.pid)
            reserving.reserve(service, requests, connections=scale.connections, seconds=_LOAD_SECONDS)
            loaded = memory_of(program.pid)
    return {"serve is ready": seconds} | _named("serve", idle) | _named("serve after load", loaded)


def _worker(ground: Ground, url: str) -> dict[str, float]:
    brokers, port = ground.brokers, programs.free_port()
    with brokers.topic() as payments, brokers.topic() as events, brokers.topic() as dead_letters:
        settings = brokers.settings(
            BOOKING_PAYMENTS_TOPIC=payments,
            BOOKING_EVENTS_TOPIC=events,
            BOOKING_DEAD_LETTER_TOPIC=dead_letters,
            BOOKING_CONSUMER_GROUP=f"bench.{uuid4()}",
            BOOKING_WORKER_PORT=str(port),
        )
        began = time.monotonic()
        with programs.running_booking(url, "worker", **settings) as program:
            seconds = _until_ready(f"http://127.0.0.1:{port}", program, began)
            time.sleep(_IDLE_SECONDS)
            idle = memory_of(program.pid)
    return {"worker is ready": seconds} | _named("worker", idle)


def _until_ready(address: str, program: Program, began: float) -> float:
    """Seconds from `began` to the first answer of 200 to /readyz."""
    while not services.is_ready(address):
        program.alive()
        if time.monotonic() - began > _READY_SECONDS:
            raise BenchmarkFailed(f"{address} was not ready within {_READY_SECONDS:.0f} s")
        time.sleep(_LOOK_AGAIN_SECONDS)
    return time.monotonic() - began


def _named(who: str, memory: Memory) -> dict[str, float]:
    return {f"{who}, RSS": memory.resident, f"{who}, PSS": memory.proportional}


def _measures() -> Iterator[Measure]:
    for name in ("booking --help", "booking expire", "serve is ready", "worker is ready"):
        yield Measure(name=name, unit="s", less=True)
    for name in ("serve", "serve after load", "worker"):
        yield Measure(name=f"{name}, RSS", unit="MB", less=True)
        yield Measure(name=f"{name}, PSS", unit="MB", less=True)


SCENARIO: Final = Scenario(
    name=_NAME,
    what="seconds until commands are there, and the memory of `booking serve` and `booking worker`",
    measures=tuple(_measures()),
    ready=_ready,
)
