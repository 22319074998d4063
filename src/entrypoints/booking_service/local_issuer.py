"""Issuer and audience of the tokens that this machine signs for itself, for `booking dev` and `booking token`."""

from typing import Final

# `.invalid` can't be anybody's (RFC 2606): no real issuer is ever taken for ours, and nobody's keys are asked for.
ISSUER: Final = "https://dev.booking.invalid/"
AUDIENCE: Final = "booking-dev"
# What an issuer of one's own would grant to somebody who may cancel events, and to somebody who stands at the door.
ADMIN_PERMISSIONS: Final = ("booking:admin", "booking:verify")
