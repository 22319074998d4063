"""Revisions: numbers that grow by one, shipped with the code, and told apart in words for an operator."""

from importlib import resources

from alembic.script import ScriptDirectory

from booking_postgres import schema


def revisions() -> list[str]:
    walked = ScriptDirectory.from_config(schema.alembic_config()).walk_revisions()
    return [script.revision for script in reversed(list(walked))]


def test_revisions_are_numbers_that_grow_by_one() -> None:
    assert revisions() == [f"{number:04d}" for number in range(1, len(revisions()) + 1)]
    assert schema.newest_revision() == revisions()[-1]


def test_every_migration_is_a_module_of_the_package_named_by_its_revision() -> None:
    files = resources.files("booking_postgres.migrations.versions")
    names = sorted(each.name for each in files.iterdir() if each.name[:1].isdigit())

    assert [name.split("_")[0] for name in names] == revisions()
    assert resources.files("booking_postgres.migrations").joinpath("env.py").is_file()


def test_no_schema_and_an_old_one_say_what_to_run() -> None:
    needed = schema.newest_revision()

    for revision in (None, "0000"):
        health = schema.health_of(revision)
        assert not health.is_ready
        assert needed in health.problem
        assert "`booking migrate`" in health.remedy


def test_the_current_and_a_newer_schema_are_no_trouble() -> None:
    assert schema.health_of(schema.newest_revision()).is_ready
    assert schema.health_of("9999").is_ready
