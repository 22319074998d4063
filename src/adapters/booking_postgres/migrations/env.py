"""Run the migrations on the connection of `booking_postgres.schema`, which holds the migration lock and commits."""

from alembic import context

from booking_postgres.schema import SCHEMA, VERSION_TABLE

context.configure(
    connection=context.config.attributes["connection"],
    version_table=VERSION_TABLE,
    version_table_schema=SCHEMA,
    include_schemas=True,
)
context.run_migrations()
