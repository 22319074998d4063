"""`booking forget`: a user's id is replaced by a pseudonym (GDPR, article 17)."""

from uuid import uuid4

import click

from booking_cli.confirming import asks, confirm, yes_option
from booking_cli.invocation import Invocation, administrator, example, pass_invocation
from booking_cli.printing import counted, json_option, print_json, print_line
from booking_core.application import ForgetUser
from booking_core.application import forget as forget_user
from booking_core.domain.errors import InvalidValue
from booking_core.ports import BookingSelection, Page
from booking_service.setting_fields import Need


@click.command(epilog=example("booking forget --user 'auth0|ann'"))
@click.option("--user", required=True, metavar="ID", help="The user's id, the `sub` of the token.")
@yes_option
@json_option
@pass_invocation
def forget(invocation: Invocation, user: str, is_confirmed: bool, as_json: bool) -> None:
    """Replace a user's id by a pseudonym in bookings, history, stored events, idempotency keys and stored responses.

    Bookings, history and money stay. Refused while the user has a hold, or a confirmed booking of an event to come.
    Events that were published before keep the id: ask the owners of the topics. It can't be undone: on a terminal it
    asks.
    """
    try:
        command = ForgetUser(user_id=user, administrator=administrator(), correlation_id=str(uuid4()))
    except InvalidValue as error:
        raise click.BadParameter(str(error), param_hint="--user") from error
    with invocation.composition("forget", Need.DATABASE) as composition:
        if asks(is_confirmed):
            found = composition.store.operators.find(BookingSelection(user_id=user), Page(limit=1)).total
            confirm(f"{user} is forgotten: {counted(found, 'booking')}", is_confirmed=is_confirmed)
        done = forget_user(command, store=composition.store)
    if as_json:
        print_json({"pseudonym": done.pseudonym, "bookings": done.bookings})
    else:
        print_line(f"{counted(done.bookings, 'booking')} of {done.pseudonym}")
