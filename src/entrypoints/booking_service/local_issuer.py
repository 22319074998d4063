"""Issuer and audience of the tokens that this machine signs for itself, for `booking dev` and `booking token`."""

from typing import Final

# `.invalid` can't be anybody's (RFC 2606): no real issuer is ever taken for ours, and nobody's keys are asked for.
ISSUER: Final = "https://dev.booking.invalid/"
AUDIENCE: Final = "booking-dev"
ADMIN_PERMISSION: Final = "booking:admin"
