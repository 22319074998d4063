"""`booking completion`: Click's own completion scripts, with a comment on how to install them."""

from typing import Final

import click
from click.shell_completion import get_completion_class

from booking_cli.invocation import example

_VARIABLE: Final = "_BOOKING_COMPLETE"  # the name that Click derives from `booking`
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

    The first lines of the script explain how to install it. It completes commands, options and values from fixed lists,
    and needs no settings.
    """
    complete = get_completion_class(shell)
    if complete is None:  # pragma: no cover - Click has all of them
        raise click.UsageError(f"this click knows no {shell}")
    script = complete(context.find_root().command, {}, "booking", _VARIABLE).source().strip()
    first, _, rest = script.partition("\n")
    comment = [f"# {line}" for line in _INSTALL[shell]]
    # zsh expects `#compdef` in the first line.
    click.echo("\n".join([first, *comment, rest] if first.startswith("#") else [*comment, first, rest]))
