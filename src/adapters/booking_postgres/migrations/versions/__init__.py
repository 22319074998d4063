"""The revisions of the schema, one module each, numbered in order. May import alembic alone."""
