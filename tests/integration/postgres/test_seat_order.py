"""The statement of expiry sorts rows as the domain does."""

import random
from typing import Final

from sqlalchemy import text

from booking_core.domain.values import row_key
from booking_postgres.writes.expiry import ROW_KEY
from tests.support.postgres.stage import Stage

LETTERS: Final = "0079AaZzéßЖ٣ \\&.*"
ROWS: Final = 2000
LONG: Final = ("0" * 30 + "7", "9" * 19, "9" * 20, "9" * 21, "A" + "0" * 25, "", "\\&", "\\1")


def test_the_key_of_a_row_is_that_of_the_domain(stage: Stage) -> None:
    chosen = random.Random(14)
    rows = [*LONG, *("".join(chosen.choices(LETTERS, k=chosen.randint(0, 12))) for _ in range(ROWS))]
    statement = text(f"SELECT row_name, {ROW_KEY} FROM unnest(CAST(:rows AS text[])) row_name")
    with stage.store.engine.connect() as connection:
        keys = {found.row_name: found[1] for found in connection.execute(statement, {"rows": rows})}

    assert keys == {row: row_key(row) for row in rows}


def test_keys_are_sorted_by_code_points(stage: Stage) -> None:
    rows = sorted({"Z", "a", "é", "Ж", "2", "10", "A 2", "A-2", "A10", "A2", "A"})
    statement = text(f"SELECT row_name FROM unnest(CAST(:rows AS text[])) row_name ORDER BY {ROW_KEY}, row_name")
    with stage.store.engine.connect() as connection:
        found = list(connection.execute(statement, {"rows": rows}).scalars())

    assert found == sorted(rows, key=row_key)
