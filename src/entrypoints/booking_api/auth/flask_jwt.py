"""flask-jwt-extended over the TokenVerifier: its public names for views that are added to the application.

`jwt_required`, `verify_jwt_in_request`, `decode_token`, `get_jwt`, `get_jwt_identity` and `current_user` (an Identity)
accept exactly the tokens that the API's own routes accept. Those call the verifier directly: flask-jwt-extended decodes
a token four times a request, which takes 30 times as long (ADR 0022).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import Flask, current_app
from flask.typing import ResponseReturnValue
from flask_jwt_extended import JWTManager

from booking_api.auth.tokens import ALGORITHM, Identity, TokenRefused, identity_of
from booking_api.auth.verifier import TokenVerifier


class VerifierManager(JWTManager):
    """A JWTManager that verifies with a TokenVerifier; every refusal of the library is a TokenRefused.

    Ignores `allow_expired` of decode_token(). It issues no tokens: it has no private key.
    """

    def __init__(self, verifier: TokenVerifier) -> None:
        super().__init__()
        self._verifier = verifier
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
        # A copy for one request, with the claims that flask-jwt-extended expects and Auth0 does not send.
        return {"type": "access", "fresh": False, "jti": None, **self._verifier.verify_token(encoded_token).claims}


def install_jwt_manager(app: Flask, verifier: TokenVerifier) -> None:
    """Make flask-jwt-extended verify the tokens of `app` with `verifier`; called once, when the app is created.

    The app needs error handlers for TokenRefused (401) and KeysUnavailable (503).
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
    VerifierManager(verifier).init_app(app)


def _identity_in(header: Mapping[str, Any], claims: Mapping[str, Any]) -> Identity:
    return identity_of(claims)


def _refused(reason: str) -> ResponseReturnValue:
    # Raised from here it would be a 500: Flask does not handle the errors of an error handler.
    return current_app.handle_user_exception(TokenRefused(reason))
