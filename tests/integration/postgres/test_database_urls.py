"""The forms of BOOKING_DATABASE_URL that libpq takes lead to the database; any other is one line."""

from pathlib import Path

import pytest
from psycopg.conninfo import conninfo_to_dict

from booking_core.ports import Workload
from tests.support.postgres.stage import open_store
from tests.support.processes import booking, free_port

FORMS = [
    "postgres://{user}:{password}@{host}:{port}/{dbname}",
    "postgresql://{user}:{password}@127.0.0.1:{gone},{host}:{port}/{dbname}",
    "postgresql://{user}:{password}@127.0.0.1:{gone},{host}:{port}/{dbname}?target_session_attrs=read-write",
    "postgresql:///{dbname}?host={host}&port={port}&user={user}&password={password}&connect_timeout=2",
    "postgresql://{user}:{password}@nowhere.invalid:{port}/{dbname}?hostaddr={host}",
    "postgresql://{user}:{password}@{host}:{port}/{dbname}?options=-c%20work_mem%3D1MB&sslmode=prefer",
    "host={host} port={port} user={user} password='{password}' dbname={dbname} prepare_threshold=none",
]


@pytest.mark.parametrize("form", FORMS)
def test_what_libpq_takes_leads_to_the_database(database_url: str, form: str) -> None:
    store = open_store(form.format(**conninfo_to_dict(database_url), gone=free_port()), 1)

    assert store.upkeep.health().is_ready
    first = next(iter(store.diagnose(Workload())))
    assert f"/{conninfo_to_dict(database_url)['dbname']}, " in first.found
    store.close()


def test_a_service_of_a_file_leads_to_the_database(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = [f"{name}={value}" for name, value in conninfo_to_dict(database_url).items()]
    (tmp_path / "services").write_text("\n".join(["[booking]", *lines]), encoding="utf-8")
    monkeypatch.setenv("PGSERVICEFILE", str(tmp_path / "services"))

    for url in ("postgresql:///?service=booking", "service=booking"):
        store = open_store(url, 1)
        assert store.upkeep.health().is_ready
        store.close()


def test_a_command_takes_keywords_and_values(database_url: str) -> None:
    done = booking(" ".join(f"{name}={value}" for name, value in conninfo_to_dict(database_url).items()), "migrate")

    assert done.stdout == "the schema is up to date\n"


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("postgresql://u:hunter22@h/db?pool_size=5", "has the parameter pool_size, which libpq does not know"),
        ("postgresql://u:hunter22@h:70000/db", "has a port that is none"),
        ("postgresql://u:12345/hunter22@h/db", "has a second @"),
        ("mysql://u:hunter22@h/db", "must be a URL that starts with postgresql://"),
    ],
)
def test_a_command_refuses_any_other_in_one_line(url: str, problem: str) -> None:
    for command in ("migrate", "serve"):
        done = booking(url, command, code=2)

        assert f"BOOKING_DATABASE_URL {problem}" in done.stderr
        assert len(done.stderr.splitlines()) == 1
        assert "hunter22" not in done.stderr
