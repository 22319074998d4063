"""The plugins of every test run: how it runs, what is checked after each test, and the shared fixtures."""

import pytest

# They assert for the tests, so pytest rewrites their assertions; it must know that before their first import.
pytest.register_assert_rewrite("booking_core.contracts", "tests.support", "tests.integration")

pytest_plugins = [
    "tests.support.run",
    "tests.support.leaks",
    "tests.support.slow",
    "tests.support.logs",
    "tests.support.directories",
    "tests.support.postgres.fixtures",
    "tests.support.kafka.fixtures",
    "tests.support.jwks",
    "tests.support.live",
    "tests.support.dev",
    "tests.support.browser",
]
