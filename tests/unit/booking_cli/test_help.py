"""The list of commands says each one's first sentence whole."""

from click.testing import CliRunner

from booking_cli.main import cli


def test_no_summary_is_cut() -> None:
    shown = CliRunner().invoke(cli, ["--help"], terminal_width=80).output

    commands = shown.partition("Commands:")[2]
    assert "..." not in commands
    said = " ".join(commands.split())
    for name, command in cli.load_all().items():
        assert f"{name} {command.get_short_help_str(limit=1000)}" in said
