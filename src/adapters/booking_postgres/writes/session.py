"""What the repositories of one unit of work share: its transaction, and the writes that wait for the commit."""

from collections.abc import Callable, Sequence

from attrs import define, field

from booking_postgres.driver.errors import translate, translated
from booking_postgres.driver.pipeline import Rows, Statement, StatementFailed
from booking_postgres.driver.transaction import Transaction


@define(eq=False)
class Session:
    """`pending` is what the next statement, or the commit, writes first, in order.

    `translators` raise what a failed statement means to them, or return; `before_commit` adds last writes.
    """

    transaction: Transaction
    idempotency_hours: float
    pending: list[Statement] = field(factory=list, init=False)
    translators: list[Callable[[StatementFailed], None]] = field(factory=list, init=False)
    before_commit: list[Callable[[], None]] = field(factory=list, init=False)

    @property
    def bounds(self) -> Sequence[str] | None:
        """How long this transaction may wait, for a first statement that sets the bounds by itself."""
        return self.transaction.bounds

    def run(self, statements: Sequence[Statement], *, commit: bool = False) -> list[Rows]:
        """The rows of each statement, what is pending written before them. Raises the domain's errors."""
        before, self.pending = self.pending, []
        try:
            return self.transaction.run([*before, *statements], commit=commit)[len(before) :]
        except StatementFailed as failure:
            for raise_special in self.translators:
                raise_special(failure)
            known = translate(failure.error)
            if known is None:
                raise failure.error from failure
            raise known from failure.error

    def flush(self) -> None:
        """What is counted over everything saved so far is seen by the statements after this."""
        for add_writes in self.before_commit:
            add_writes()

    def commit(self) -> None:
        """Write everything that is pending and commit, in one round trip."""
        self.flush()
        self.run([], commit=True)

    def after_undoing(self, statement: Statement) -> Rows:
        """Take everything back after a failed statement, and read what stands there then."""
        self.transaction.undo()
        with translated():
            [rows] = self.transaction.run([statement])
        return rows
