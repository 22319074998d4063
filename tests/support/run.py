"""How a test run behaves: compiled modules, Hypothesis profiles, its end by a signal, and no skipped test in CI."""

import faulthandler
import os
import signal
import sys
from collections.abc import Generator

import pytest
from hypothesis import HealthCheck, settings

# The tests start hundreds of Python programs. A program without compiled modules takes two seconds to start instead of
# half a second, so this process and its children always write them.
sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

# While a test runs, descriptor 2 is where pytest captures; this is a copy of the terminal's.
_stderr = 2

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
    """SIGTERM ends a run as Ctrl+C does: fixtures stop and remove what they started.

    SIGINT does so even if the run was started with it ignored (`nohup make test &`); the programs that the tests start
    inherit the default.
    """
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.default_int_handler)
    global _stderr
    _stderr = os.dup(2)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addini("teardown_timeout", "seconds after which a teardown ends the process; pytest-timeout may be used up")


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_teardown(item: pytest.Item) -> Generator[None, None, None]:
    """A teardown that waits without end is cut off with all its stacks printed, even after the test's own timeout."""
    seconds = float(item.config.getini("teardown_timeout"))
    faulthandler.dump_traceback_later(seconds, exit=True, file=_stderr)
    try:
        return (yield)
    finally:
        faulthandler.cancel_dump_traceback_later()


def _skipped(config: pytest.Config) -> int:
    # Only the process that reports has one; the workers of xdist do not.
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    return len(reporter.stats.get("skipped", [])) if reporter else 0


def pytest_sessionfinish(session: pytest.Session) -> None:
    """In CI a skipped test is a failure: what the test lacks would stay unnoticed."""
    if IN_CI and _skipped(session.config) and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    if IN_CI and (skipped := _skipped(config)):
        terminalreporter.write_line(f"CI may skip nothing, and {skipped} skipped: this run has failed", red=True)
