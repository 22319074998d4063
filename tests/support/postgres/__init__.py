"""PostgreSQL for the tests: throw-away servers and databases, an event in one of them, the store's contract harness."""
