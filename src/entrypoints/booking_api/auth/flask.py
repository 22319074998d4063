"""Tokens in Flask: flask-jwt-extended is the frame, our TokenVerifier does the verifying.

flask-jwt-extended decodes a token four times for one request (twice for the key, once to verify, once for the header).
Here its manager is asked to decode as it always is, but answers from the verifier, and the routes of this
application put the verified token where flask-jwt-extended keeps it, without its search through places and settings.
Its public names work in both cases: `jwt_required`, `verify_jwt_in_request`, `get_jwt`, `get_jwt_identity`,
`current_user` (an Identity).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from flask import Flask, current_app, g, request
from flask.typing import ResponseReturnValue
from flask_jwt_extended import JWTManager

from booking_api.auth.claims import Identity, TokenRefused, VerifiedToken, identity_of
from booking_api.auth.verifier import ALGORITHM, TokenVerifier

P = ParamSpec("P")
R = TypeVar("R")

_EXTENSION = "flask-jwt-extended"


class VerifierFrame(JWTManager):
    """A JWTManager whose tokens are judged by a TokenVerifier; every refusal of the library is a TokenRefused.

    `allow_expired` of decode_token() is not granted. It issues no tokens: it has no private key.
    """

    def __init__(self, verifier: TokenVerifier) -> None:
        super().__init__()
        self.verifier = verifier
        self.user_lookup_loader(_identity_in)
        for loader in (self.unauthorized_loader, self.invalid_token_loader):
            loader(_refused)
        for loader in (
            self.expired_token_loader,
            self.needs_fresh_token_loader,
            self.revoked_token_loader,
            self.token_verification_failed_loader,
            self.user_lookup_error_loader,
        ):
            loader(lambda header, claims: _refused("refused by flask-jwt-extended"))

    def _decode_jwt_from_config(
        self, encoded_token: str, csrf_value: str | None = None, allow_expired: bool = False
    ) -> dict[str, Any]:
        if csrf_value is not None:
            raise TokenRefused("a token in a cookie")
        return _claims(self.verifier.verify_token(encoded_token))


def install(app: Flask, verifier: TokenVerifier) -> None:
    """Have `verifier` judge the tokens of `app`: call it once, when the app is made.

    The app must answer TokenRefused (401) and KeysUnavailable (503) by error handlers of its own.
    """
    app.config.update(
        JWT_ALGORITHM=ALGORITHM,
        JWT_DECODE_ALGORITHMS=[ALGORITHM],
        JWT_DECODE_AUDIENCE=verifier.audience,
        JWT_DECODE_ISSUER=verifier.issuer,
        JWT_DECODE_LEEWAY=verifier.leeway_seconds,
        JWT_TOKEN_LOCATION=["headers"],
        JWT_IDENTITY_CLAIM="sub",
    )
    VerifierFrame(verifier).init_app(app)


def authenticate() -> Identity:
    """Who sends the present request, by its `Authorization` header. Raises TokenRefused or KeysUnavailable.

    Afterwards current_identity() and the public names of flask-jwt-extended answer too.
    """
    frame: VerifierFrame = current_app.extensions[_EXTENSION]
    verified = frame.verifier.verify_header(request.headers.get("Authorization"))
    g._jwt_extended_jwt_user = {"loaded_user": verified.identity}
    g._jwt_extended_jwt_header = dict(verified.header)
    g._jwt_extended_jwt = _claims(verified)
    g._jwt_extended_jwt_location = "headers"
    return verified.identity


def authenticated(view: Callable[P, R]) -> Callable[P, R]:
    """A view that is only reached with a valid token: see authenticate()."""

    @wraps(view)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> R:
        authenticate()
        return view(*args, **kwargs)

    return guarded


def current_identity() -> Identity:
    """Who sends the present request. RuntimeError where no token was asked for: a mistake in the routes."""
    loaded = (g.get("_jwt_extended_jwt_user") or {}).get("loaded_user")
    if not isinstance(loaded, Identity):
        raise RuntimeError("no token was verified in this request")
    return loaded


def _claims(verified: VerifiedToken) -> dict[str, Any]:
    """A copy for one request, with the claims that flask-jwt-extended expects and Auth0 does not make."""
    return {"type": "access", "fresh": False, "jti": None, **verified.claims}


def _identity_in(header: Mapping[str, Any], claims: Mapping[str, Any]) -> Identity:
    return identity_of(claims)


def _refused(reason: str) -> ResponseReturnValue:
    # Raised from here it would be a 500: an error handler's own errors are not handled again.
    return current_app.handle_user_exception(TokenRefused(reason))
