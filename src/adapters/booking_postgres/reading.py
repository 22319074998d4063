"""A connection to read on: no transaction, no locks; the caller's own where the store was given one."""

from collections.abc import Iterator
from contextlib import contextmanager

from attrs import frozen
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError

from booking_postgres.failures import PreparedStatementGone, translate, translated
from booking_postgres.transaction import driver_of


@frozen(eq=False)
class Reader:
    """Opens connections for reads. `engine` commits each statement by itself, which saves the round trips of BEGIN."""

    engine: Engine | None = None
    connection: Connection | None = None

    @classmethod
    def of_pool(cls, engine: Engine) -> "Reader":
        """Reads on connections of the pool."""
        return cls(engine=engine.execution_options(isolation_level="AUTOCOMMIT"))

    @contextmanager
    def open(self) -> Iterator[Connection]:
        """A connection for a few statements. Driver errors become the domain's."""
        with translated():
            if self.connection is not None:
                yield self.connection
            elif self.engine is not None:
                with self.engine.connect() as connection:
                    try:
                        yield connection
                    except DBAPIError as error:
                        if isinstance(translate(error), PreparedStatementGone):
                            driver_of(connection).prepare_threshold = None  # else it fails again for ever
                        raise
