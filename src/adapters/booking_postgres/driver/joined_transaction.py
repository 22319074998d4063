"""A savepoint in a transaction that the caller owns."""

from typing import Final

from attrs import define, field
from sqlalchemy import Connection

from booking_core.domain.errors import WrongIsolationLevel
from booking_postgres.driver.errors import require_utf8, translated
from booking_postgres.driver.pipeline import Rows, Statement, run
from booking_postgres.driver.transaction import Transaction, driver_of

_READ_COMMITTED: Final = "read committed"
_SAVEPOINT: Final = "SAVEPOINT booking_core"
_RELEASE: Final = "RELEASE SAVEPOINT booking_core"
_ROLL_BACK: Final = "ROLLBACK TO SAVEPOINT booking_core"
_SETTINGS: Final = "SELECT current_setting('transaction_isolation'), current_setting('enable_seqscan')"
# The plan that checks a foreign key is made at the end of a statement, and kept as long as the session: while tables
# are empty, only this setting makes the planner use the index. A rollback to the savepoint restores the caller's.
_SET_SCANS: Final = "SELECT set_config('enable_seqscan', %(scans)s, true)"


@define(eq=False)
class JoinedTransaction(Transaction):
    """Writes in the caller's transaction, on a connection that stays the caller's, as do its settings and timeouts.

    Ending without commit undoes these writes only, and leaves the transaction usable after a refusal. Whole tables are
    not scanned before the end; then the caller's `enable_seqscan` is as it was.
    """

    connection: Connection
    _scans: str = field(default="on", init=False)
    _open: bool = field(default=False, init=False)

    def begin(self) -> None:
        with translated():
            driver = driver_of(self.connection)
            require_utf8(driver)
            if driver.autocommit:
                raise WrongIsolationLevel("The unit of work needs a transaction, and this connection commits by itself")
            if not self.connection.in_transaction():
                self.connection.begin()
            # By the driver itself, which begins the transaction as the caller has configured it.
            [(level, self._scans)] = driver.execute(_SETTINGS).fetchall()
            if level != _READ_COMMITTED:
                raise WrongIsolationLevel(f"The unit of work needs READ COMMITTED, and this connection is at {level}")
            run(driver, [Statement(_SAVEPOINT, {}), Statement(_SET_SCANS, {"scans": "off"})])
        self._open = True

    def end(self) -> None:
        if self._open:
            self._open = False
            with translated():
                driver = driver_of(self.connection)
                driver.execute(_ROLL_BACK)
                driver.execute(_RELEASE)

    def _send(self, statements: list[Statement], commit: bool) -> list[Rows]:
        if not commit:
            return run(driver_of(self.connection), statements)
        last = [Statement(_SET_SCANS, {"scans": self._scans}, "caller's plans"), Statement(_RELEASE, {}, "release")]
        results = run(driver_of(self.connection), [*statements, *last])
        self._open = False
        return results[: -len(last)]

    def _roll_back(self) -> None:
        driver_of(self.connection).execute(_ROLL_BACK)
