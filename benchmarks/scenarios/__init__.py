"""One scenario per module, in the order in which they run."""

from typing import Final

from benchmarks.scenario import Scenario
from benchmarks.scenarios import (
    cancel_event,
    commit_to_topic,
    consume,
    flash_sale,
    groups,
    growth,
    hot_seat,
    locked_row,
    overload,
    reads,
    relay,
    reservations,
    stages,
    start_up,
    sweep,
)

SCENARIOS: Final[tuple[Scenario, ...]] = (
    reservations.SCENARIO,
    stages.SCENARIO,
    groups.SCENARIO,
    reads.SCENARIO,
    hot_seat.SCENARIO,
    locked_row.SCENARIO,
    overload.SCENARIO,
    flash_sale.SCENARIO,
    sweep.SCENARIO,
    cancel_event.SCENARIO,
    relay.SCENARIO,
    consume.SCENARIO,
    commit_to_topic.SCENARIO,
    start_up.SCENARIO,
    growth.SCENARIO,
)
