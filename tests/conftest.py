"""What every test run shares: kept compiled modules, how hard Hypothesis tries, and that CI skips nothing."""

import os
import signal
import sys

import pytest
from hypothesis import HealthCheck, settings

# Modules that assert for the tests, told to pytest before anyone imports them: then what they say is told well.
pytest.register_assert_rewrite(
    "booking_core.contracts", "tests.integration.kafka.readers", "tests.integration.kafka.service"
)

# The tests start hundreds of Python programs. One whose modules nobody has kept compiled needs two seconds to begin
# instead of half of one, so they are kept in any case, by this process and by those that it starts.
sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

IN_CI = os.environ.get("CI", "").lower() not in ("", "0", "false")

# No deadline and no complaint about slow data: the machine may be busy with other tests.
settings.register_profile(
    "dev",
    max_examples=30,
    stateful_step_count=25,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.register_profile("ci", settings.get_profile("dev"), max_examples=100, print_blob=True)
settings.register_profile("soak", settings.get_profile("ci"), max_examples=3000, stateful_step_count=60)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "dev"))


def pytest_configure() -> None:
    """A run that is told to stop ends as at Ctrl+C: whatever it has started is stopped and removed first."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)


def _skipped(config: pytest.Config) -> int:
    # Only the process that reports has one; the workers of xdist do not.
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    return len(reporter.stats.get("skipped", [])) if reporter else 0


def pytest_sessionfinish(session: pytest.Session) -> None:
    """In CI a skipped test is a failure: whatever it lacks would otherwise go unnoticed for ever."""
    if IN_CI and _skipped(session.config) and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    if IN_CI and (skipped := _skipped(config)):
        terminalreporter.write_line(f"CI may skip nothing, and {skipped} skipped: this run has failed", red=True)
