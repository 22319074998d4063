"""Whatever libpq takes is a database's URL; the rest is one line without a secret."""

import pytest
from psycopg.conninfo import conninfo_to_dict

from booking_postgres.driver.database_url import DatabaseUrl

GIVEN = [
    ("postgresql://u:p@h:5432/db", {"user": "u", "password": "p", "host": "h", "port": "5432", "dbname": "db"}),
    ("postgres://h/db", {"host": "h", "dbname": "db"}),
    ("postgresql+psycopg://h/db", {"host": "h", "dbname": "db"}),
    ("postgresql://h1:1,h2:2/db", {"host": "h1,h2", "port": "1,2", "dbname": "db"}),
    ("postgresql://h1,h2/db?target_session_attrs=read-write", {"host": "h1,h2", "target_session_attrs": "read-write"}),
    ("postgresql://%2Ftmp/db", {"host": "/tmp", "dbname": "db"}),
    ("postgresql:///db?host=/tmp&port=6543", {"host": "/tmp", "port": "6543", "dbname": "db"}),
    ("postgresql://[::1]:5432/db", {"host": "::1", "port": "5432"}),
    ("postgresql:///?service=booking", {"service": "booking"}),
    ("postgresql://h/db?sslmode=require&options=-c%20geqo%3Doff", {"sslmode": "require", "options": "-c geqo=off"}),
    ("postgresql://h/db?connect_timeout=9", {"connect_timeout": "9"}),
    ("postgresql://u:p%40%2F%3A@h/db", {"password": "p@/:"}),
    ("postgresql://", {}),
    ("host=h port=1 dbname='a b' password='s\\'x y'", {"host": "h", "dbname": "a b", "password": "s'x y"}),
    ("service=booking", {"service": "booking"}),
]
REFUSED = [
    ("", "must look like postgresql://"),
    ("nonsense", "must look like postgresql://"),
    ("mysql://h/db", "must look like postgresql://"),
    ("postgresql://u:hunter2@h/db?pool_size=5", "has the parameter pool_size"),
    ("postgresql://h/db?sslmode=require&max_overflow=3&prepare_threshold=1", "has the parameter max_overflow"),
    ("host=h password=hunter2 pool_size=5", "has the parameter pool_size"),
    ("postgresql://u:hunter2@h:port/db", "has a port that is none"),
    ("postgresql://u:hunter2@h:99999/db", "has a port that is none"),
    ("postgresql://u:hunter2@h:0/db", "has a port that is none"),
    ("postgresql://u:hunter2%zz@h/db", "cannot be read by libpq"),
    ("postgresql://u:1234/hunter2@h/db", "has a second @"),
    ("postgresql://u:x@hunter2@h/db", "second @"),
    ("postgresql://u:hunter2/x@h/db", "has a second @"),
    ("postgresql://h/db?prepare_threshold=hunter2", "has a prepare_threshold that is neither"),
    ("host='h", "cannot be read by libpq"),
]


@pytest.mark.parametrize(("text", "expected"), GIVEN)
def test_what_libpq_takes_is_taken(text: str, expected: dict[str, str]) -> None:
    parameters = DatabaseUrl.parse(text).parameters

    assert {name: parameters[name] for name in expected} == expected
    if not text.startswith("postgresql+"):
        assert parameters == conninfo_to_dict(text)


@pytest.mark.parametrize(("text", "problem"), REFUSED)
def test_the_rest_is_one_line_without_a_secret(text: str, problem: str) -> None:
    with pytest.raises(ValueError, match=problem) as error:
        DatabaseUrl.parse(text)

    assert "hunter2" not in str(error.value)
    assert str(error.value).isprintable()


@pytest.mark.parametrize(
    ("text", "preparing"),
    [
        ("postgresql://h/db", None),
        ("postgresql://h/db?prepare_threshold=3", "yes"),
        ("postgresql://h/db?prepare_threshold=none&sslmode=disable", "none"),
        ("postgresql://h/db?sslmode=disable&prepare_threshold=", "none"),
        ("host=h prepare_threshold=OFF sslmode=disable", "none"),
    ],
)
def test_preparing_is_a_parameter_of_our_own(text: str, preparing: str | None) -> None:
    parsed = DatabaseUrl.parse(text)

    assert parsed.preparing == preparing
    assert "prepare_threshold" not in parsed.parameters
    assert parsed.parameters["host"] == "h"
    assert parsed.parameters.get("sslmode", "disable") == "disable"


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("postgresql://u:p@h:5432/db", "h:5432/db"),
        ("postgresql://u:p@h1:1,h2:2/db", "h1:1,h2:2/db"),
        ("postgresql://[::1]:1/db", "[::1]:1/db"),
        ("postgresql:///db", "the local socket/db"),
        ("postgresql://%2Ftmp/db", "/tmp/db"),
        ("service=booking", "the service booking/"),
        ("host=h,i port=1 dbname=db password=p", "h:1,i:1/db"),
    ],
)
def test_the_place_names_hosts_and_database(text: str, place: str) -> None:
    assert DatabaseUrl.parse(text).place == place


def test_a_password_is_not_shown() -> None:
    assert "hunter2" not in repr(DatabaseUrl.parse("postgresql://u:hunter2@h/db"))
