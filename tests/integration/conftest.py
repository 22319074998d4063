"""Fixtures of every integration test."""

from tests.integration.postgres_fixture import fresh_database, postgres_server, postgres_url

__all__ = ["fresh_database", "postgres_server", "postgres_url"]
