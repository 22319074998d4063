"""`booking token`: a token for `booking dev`. Nobody else believes it."""

from pathlib import Path

import click

from booking_cli.invocation import CommandFailed, example
from booking_cli.printing import json_option, print_json, print_line
from booking_service.local_issuer import ADMIN_PERMISSIONS, AUDIENCE, ISSUER


@click.command(
    epilog=example('curl -H "Authorization: Bearer $(booking token --user alice)" localhost:8000/api/v1/events')
)
@click.option("--user", required=True, help="The user's id, the token's `sub`.")
@click.option("--admin", is_flag=True, help="May cancel events and verify tickets.")
@click.option(
    "--data-dir",
    default=".booking",
    show_default=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="Where `booking dev` keeps its data.",
)
@json_option
def token(user: str, admin: bool, data_dir: Path, as_json: bool) -> None:
    """Print a token for `booking dev`, signed with its key; it is good for a day."""
    from booking_service.dev_tokens import KEY_FILE, DevKeyUnusable, DevTokens

    if not (data_dir / KEY_FILE).is_file():
        raise CommandFailed(f"there is no key in {data_dir}: `booking dev` makes it at its first start")
    try:
        signed = DevTokens(data_dir, ISSUER, AUDIENCE).sign(user, ADMIN_PERMISSIONS if admin else ())
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--user") from error
    except (DevKeyUnusable, OSError) as error:
        raise CommandFailed(str(error)) from error
    if as_json:
        print_json({"token": signed})
    else:
        print_line(signed)
