"""`booking completion`: the Tab key."""

from typing import Final

import click
from click.shell_completion import get_completion_class

from booking_cli.invocation import example

_VARIABLE: Final = "_BOOKING_COMPLETE"
_INSTALL: Final = {
    "bash": (
        "To install it for yourself (bash 4.4 or newer, with the package bash-completion), and open a new shell:",
        "  mkdir -p ~/.local/share/bash-completion/completions",
        "  booking completion bash > ~/.local/share/bash-completion/completions/booking",
        'Or, without that package, add this line to ~/.bashrc: eval "$(booking completion bash)"',
    ),
    "zsh": (
        "To install it for yourself, and open a new shell:",
        "  mkdir -p ~/.zfunc && booking completion zsh > ~/.zfunc/_booking",
        "  and in ~/.zshrc: fpath+=~/.zfunc; autoload -Uz compinit && compinit",
    ),
    "fish": (
        "To install it for yourself, and open a new shell:",
        "  booking completion fish > ~/.config/fish/completions/booking.fish",
    ),
}


@click.command(epilog=example('eval "$(booking completion bash)"', "booking completion zsh > ~/.zfunc/_booking"))
@click.argument("shell", type=click.Choice(list(_INSTALL)))
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Print a script that has your shell complete `booking` with the Tab key.

    The script says in its first lines how to install it. It completes commands, options, and values of which there are
    only some, and needs no settings.
    """
    kind = get_completion_class(shell)
    if kind is None:  # pragma: no cover - click has all of them
        raise click.UsageError(f"this click knows no {shell}")
    # Not the source() of the class: bash's starts a shell to ask for its version, here, where it may not be the user's.
    maker = kind(context.find_root().command, {}, "booking", _VARIABLE)
    script = (kind.source_template % maker.source_vars()).strip()
    first, _, rest = script.partition("\n")
    # zsh looks for `#compdef` in the first line.
    head = [first, *_comment(shell)] if first.startswith("#") else [*_comment(shell), first]
    click.echo("\n".join([*head, rest]))


def _comment(shell: str) -> list[str]:
    return [f"# {line}" for line in _INSTALL[shell]]
