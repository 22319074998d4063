"""One scenario per module, in the order in which they run.

A scenario is imported when it is asked for: older code may lack what another scenario imports.
"""

from importlib import import_module
from typing import Final

from benchmarks.measuring.scenario import Scenario

MODULES: Final = (
    "reserving.reservations",
    "reserving.before",
    "reserving.refusals",
    "reserving.group_cap",
    "reserving.conditions",
    "reserving.stages",
    "reserving.groups",
    "customers.reads",
    "reserving.hot_seat",
    "reserving.locked_row",
    "reserving.overload",
    "customers.flash_sale",
    "customers.seats",
    "customers.tigerfans",
    "background.sweep",
    "background.cancel_event",
    "background.relay",
    "background.consume",
    "background.commit_to_topic",
    "background.start_up",
    "reserving.growth",
)
"""Each has a `SCENARIO`, named like the module."""

BEFORE: Final = "before"
"""The scenario that needs another checkout."""

NAMES: Final = tuple(module.rpartition(".")[2] for module in MODULES)


def scenario(name: str) -> Scenario:
    """The scenario of that name, one of NAMES. Raises ImportError if the code it measures lacks what it needs."""
    found: Scenario = import_module(f"{__name__}.{MODULES[NAMES.index(name)]}").SCENARIO
    return found
