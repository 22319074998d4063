"""A savepoint in a transaction that the caller owns."""

from typing import Final

from attrs import define, field
from sqlalchemy import Connection

from booking_core.domain.errors import WrongIsolationLevel
from booking_postgres.driver.errors import translated
from booking_postgres.driver.pipeline import Rows, Statement, run
from booking_postgres.driver.transaction import Transaction, driver_of

_READ_COMMITTED: Final = "read committed"
_SAVEPOINT: Final = "SAVEPOINT booking_core"
_RELEASE: Final = "RELEASE SAVEPOINT booking_core"
_ROLL_BACK: Final = "ROLLBACK TO SAVEPOINT booking_core"


@define(eq=False)
class JoinedTransaction(Transaction):
    """Writes in the caller's transaction, on a connection that stays the caller's. Its timeouts are the caller's.

    Ending without commit undoes these writes only, and leaves the transaction usable after a refusal.
    """

    connection: Connection
    _open: bool = field(default=False, init=False)

    def begin(self) -> None:
        with translated():
            driver = driver_of(self.connection)
            if driver.autocommit:
                raise WrongIsolationLevel("The unit of work needs a transaction, and this connection commits by itself")
            if not self.connection.in_transaction():
                self.connection.begin()
            # By the driver itself, which begins the transaction as the caller has configured it.
            row = driver.execute("SHOW transaction_isolation").fetchone()
            level = row[0] if row else None
            if level != _READ_COMMITTED:
                raise WrongIsolationLevel(f"The unit of work needs READ COMMITTED, and this connection is at {level}")
            run(driver, [Statement(_SAVEPOINT, {})])
        self._open = True

    def end(self) -> None:
        if self._open:
            self._open = False
            with translated():
                driver = driver_of(self.connection)
                driver.execute(_ROLL_BACK)
                driver.execute(_RELEASE)

    def _send(self, statements: list[Statement], commit: bool) -> list[Rows]:
        results = run(
            driver_of(self.connection), [*statements, Statement(_RELEASE, {}, "release")] if commit else statements
        )
        if commit:
            self._open = False
            return results[:-1]
        return results

    def _roll_back(self) -> None:
        driver_of(self.connection).execute(_ROLL_BACK)
