"""The migrations of the schema. May import `schema` and alembic alone."""
