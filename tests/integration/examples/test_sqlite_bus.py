"""The example adapter, a distribution of its own: found by its entry point, and as good as the contract suites ask."""

import re
import subprocess
from pathlib import Path

from booking_core.contracts import EVENT_BUS_CONTRACTS
from booking_postgres.adapter import create
from tests.integration.examples.outside import EXAMPLES, Outside
from tests.support.postgres.fixtures import FreshDatabase


def test_it_keeps_the_contracts_from_outside(outside: Outside, tmp_path: Path) -> None:
    """Its own tests, run as its author runs them: over the installed wheels, with pytest as it comes."""
    said = outside.run("pytest", "-q", "-p", "no:cacheprovider", EXAMPLES / "sqlite_bus", cwd=tmp_path)

    contracts = sum(name.startswith("test_") for suite in EVENT_BUS_CONTRACTS for name in dir(suite))
    [passed] = re.findall(r"^(\d+) passed in", said, re.MULTILINE)
    assert int(passed) > contracts > 0


def test_the_program_says_which_of_its_settings_is_missing(
    outside: Outside, fresh_database: FreshDatabase, tmp_path: Path
) -> None:
    url = fresh_database()
    store = create({"BOOKING_DATABASE_URL": url})
    store.upkeep.migrate()
    store.close()
    settings = {"BOOKING_DATABASE_URL": url, "BOOKING_EVENT_BUS": "sqlite"}

    done = subprocess.run(
        [outside.venv / "bin/booking", "relay"],
        env=outside.environment(settings),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
    )

    problem = "BOOKING_SQLITE_BUS_PATH is not set, and must be: the file of the bus"
    assert done.stderr.startswith(f"error: the event bus adapter refuses its settings: {problem}"), done
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1), "called wrongly"
