"""Broker and database killed with -9 and started again in the middle of the work; and everything at once."""

import time
from collections.abc import Callable, Sequence
from random import Random

import pytest

from tests.integration.chaos.aftermath import check
from tests.integration.chaos.load import Load
from tests.integration.chaos.places import WAYS_TO_DIE, MortalPostgres
from tests.integration.chaos.programs import Program
from tests.integration.chaos.rounds import kills
from tests.integration.chaos.stage import Stage, until
from tests.support.kafka.broker import KafkaBroker

_A_BATCH = 50
_LONGEST_OUTAGE_SECONDS = 3.0
_LONGEST_FREEZE_SECONDS = 15.0


def at_work(stage: Stage) -> list[Program]:
    """A relay and a consumer, which outlive every outage."""
    programs = [stage.program("relay"), stage.program("consume")]
    for program in programs:
        program.start()
        program.await_started()
    return programs


@pytest.mark.slow("a broker to kill; its crash under load is in every run")
@kills(1, 15)
def test_a_broker_killed_and_started_again(
    frail: Stage, mortal_broker: KafkaBroker, moments: Random, kills: int
) -> None:
    programs = at_work(frail)
    relay = programs[0]
    with Load(frail, moments).goes_on() as acknowledged:
        for _ in range(kills):
            until(lambda: not frail.unpublished(), "the relay works")
            relay.freeze()
            until(lambda: frail.unpublished() > _A_BATCH, "there is a batch to be in the middle of")
            relay.thaw()
            time.sleep(moments.uniform(0.0, 0.2))
            mortal_broker.kill()
            mortal_broker.start()
    frail.settle()

    for program in programs:
        program.assert_alive()
    print(check(frail, acknowledged))


@kills(2, 60)
def test_a_database_killed_and_started_again(
    frail: Stage, postgres: MortalPostgres, moments: Random, kills: int
) -> None:
    programs = at_work(frail)
    with Load(frail, moments).goes_on() as acknowledged:
        for _ in range(kills):
            until(lambda: not frail.unpublished(), "the relay works")
            time.sleep(moments.uniform(0.0, 0.5))
            postgres.kill(moments.choice(WAYS_TO_DIE))
            postgres.start()
    frail.settle()

    for program in programs:
        program.assert_alive()
    print(check(frail, acknowledged))


@pytest.mark.soak
@pytest.mark.timeout(3600)
@pytest.mark.parametrize(("kills", "events"), [(100, 100)])
def test_everything_dies(
    frail: Stage, postgres: MortalPostgres, mortal_broker: KafkaBroker, moments: Random, kills: int
) -> None:
    programs = [frail.program(command) for command in ("worker", "worker", "relay", "consume", "consume")]
    accidents: Sequence[Callable[[], None]] = (
        lambda: moments.choice(programs).kill(),
        lambda: moments.choice(programs).kill(),
        lambda: _freeze(moments.choice(programs), moments),
        lambda: _outage(lambda: postgres.kill(moments.choice(WAYS_TO_DIE)), postgres.start, moments),
        lambda: _outage(mortal_broker.kill, mortal_broker.start, moments),
    )
    with Load(frail, moments).goes_on() as acknowledged:
        for _ in range(kills):
            for program in programs:
                program.start()  # as a supervisor does, also one that met a database that was down
            time.sleep(moments.uniform(0.0, 3.0))
            moments.choice(accidents)()
    for program in programs:
        program.start()
    frail.settle(patience=180.0)

    print(check(frail, acknowledged))


def _freeze(program: Program, moments: Random) -> None:
    """Long enough, at times, for its group to think that it is dead."""
    if program.is_alive:
        program.freeze()
        time.sleep(moments.uniform(0.0, _LONGEST_FREEZE_SECONDS))
        program.thaw()


def _outage(kill: Callable[[], None], start: Callable[[], None], moments: Random) -> None:
    kill()
    time.sleep(moments.uniform(0.0, _LONGEST_OUTAGE_SECONDS))
    start()
