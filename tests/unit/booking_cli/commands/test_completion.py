"""The scripts of the Tab key, and what the commands would complete."""

import pytest
from click.shell_completion import BashComplete
from click.testing import CliRunner

from booking_cli.lazy_commands import COMMANDS
from booking_cli.main import cli


def completed(*words: str) -> list[str]:
    maker = BashComplete(cli, {}, "booking", "_BOOKING_COMPLETE")
    return [item.value for item in maker.get_completions(list(words[:-1]), words[-1])]


@pytest.mark.parametrize("name", COMMANDS)
def test_a_summary_is_the_first_sentence_of_its_commands_help(name: str) -> None:
    command = cli.load(name)

    assert command.name == name
    assert command.get_short_help_str(limit=1000) == COMMANDS[name][1] == cli.commands[name].short_help


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["cat"], ["catalog"]),
        ([""], sorted(COMMANDS)),
        (["--v"], ["--version"]),
        (["replay", "e"], ["events"]),
        (["replay", "events", "--dr"], ["--dry-run"]),
        (["replay", "events", "--type", "event."], ["event.cancelled"]),
        (["doctor", "--only", ""], ["database", "broker", "jwks", "catalog"]),
        (["completion", ""], ["bash", "zsh", "fish"]),
        (["nonsense", "--x"], []),
    ],
)
def test_commands_options_and_values_are_completed(words: list[str], expected: list[str]) -> None:
    assert completed(*words) == expected


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_script_says_how_to_install_it(shell: str) -> None:
    shown = CliRunner().invoke(cli, ["completion", shell], prog_name="booking")

    assert shown.exit_code == 0
    assert f"booking completion {shell}" in shown.output
    assert f"_BOOKING_COMPLETE={shell}_complete" in shown.output
    assert shown.output.startswith("#")
    # compinit looks no further than the first line.
    assert (shown.output.splitlines()[0] == "#compdef booking") == (shell == "zsh")
